// The health check of the image, which has no curl: exits with 0 if the server of $OAI_DATA_DIR answers /health, else with 1.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Less than the --timeout of HEALTHCHECK. */
const TIMEOUT_MS = 4000;

try {
  const { url } = JSON.parse(readFileSync(join(process.env.OAI_DATA_DIR ?? '', 'server.json'), 'utf8'));
  const { status } = await fetch(`${url}/health`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  console.log(`/health: ${status}`);
  process.exitCode = status === 200 ? 0 : 1;
} catch (error) {
  console.log(`/health: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
