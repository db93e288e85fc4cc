/** One command of the client under test. */
import type { System } from '../../../system/system.ts';
import { describeFault } from '../tuf/fault.ts';
import { refreshTopLevel } from '../tuf/refresh.ts';
import { parseArguments } from './arguments.ts';
import { closeClient, initClient, openClient } from './client.ts';
import { downloadTarget } from './download.ts';
import { metadataFetch, type Transfer } from './fetch.ts';

/** The exit code; what went wrong is logged. */
export async function runClient(system: System, argv: readonly string[], transfer: Transfer): Promise<0 | 1> {
  try {
    const parsed = parseArguments(argv);
    if (parsed.command === 'init') {
      await initClient(system, parsed.metadataDir, parsed.root);
      return 0;
    }
    const fetch = metadataFetch(system, transfer, parsed.metadataUrl, parsed.metadataDir);
    const session = await openClient(system, parsed.metadataDir);
    try {
      await refreshTopLevel(system, session, fetch);
      if (parsed.command === 'download')
        for (const name of parsed.targetNames)
          await downloadTarget(system, session, { fetch, transfer, ...parsed, name });
    } finally {
      await closeClient(session);
    }
    return 0;
  } catch (error) {
    system.log(`tuf-client: ${describeFault('refused', error).message}`);
    return 1;
  }
}
