// The package @openai/agents, as types only: the server has none of its own, an agent brings the copy that runs it.
import type * as Package from '@openai/agents';

/** What an import of the package gives. Its classes are other ones in every copy. */
export type Sdk = typeof Package;

/** Any agent: what its context and its output are is its author's business. */
// oxlint-disable-next-line typescript/no-explicit-any
export type SdkAgent = Package.Agent<any, any>;
