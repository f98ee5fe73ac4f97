// Builds `dist/`, what the package runs from: the sources compiled, and beside them the files that they read.
import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');
const swagger = 'node_modules/swagger-ui-dist';

rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
for (const file of globSync('{supervisor,worker,shared}/**/*.*', { cwd: root, exclude: (name) => name.endsWith('.ts') })) copy(file, file);
for (const name of ['swagger-ui.css', 'swagger-ui-bundle.js', 'LICENSE', 'NOTICE']) copy(`${swagger}/${name}`, `supervisor/pages/swagger-ui/${name}`);

function copy(from, to) {
  const target = join(dist, to);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(join(root, from), target, { recursive: true });
}
