/** `make full|delta BLOCK-BYTES OUTPUT NEW [OLD]`: makes one payload in a process of its own, whose memory can be measured, and prints its reference. */
import { readLock } from '../../builder/lock/lock-file.ts';
import { openToolbox } from '../../builder/tools/toolbox.ts';
import { makeDelta } from '../../updater/repository/delta/delta.ts';
import { makeFull } from '../../updater/repository/delta/full.ts';

const [kind, blockText, output = '', next = '', old] = process.argv.slice(2);
const lock = await readLock('images/minimal.lock');
if (lock === undefined) throw new Error('images/minimal.lock is missing');
const toolbox = await openToolbox(lock.tools);
const blockBytes = blockText === '512' ? 512 : 4096;
const reference =
  kind === 'delta' && old !== undefined
    ? await makeDelta({ old, new: next, output, toolbox, blockBytes })
    : await makeFull({ new: next, output, toolbox, blockBytes });
process.stdout.write(JSON.stringify(reference));
