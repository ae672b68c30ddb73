/** Files of a node as the editor of rules reads and writes them, by a process of its own on that node. */
import { readTextFile, writeFile } from '../../../../stack/kernel/files.ts';
import { spawn } from '../../../../stack/kernel/process.ts';
import type { LabNode, Process } from '../../../../stack/kernel/process.ts';
import { ERRNO, SystemError } from '../../../../stack/runtime/messages/errno.ts';

export const PF_CONF = '/etc/pf.conf';

/** Runs `work` as a process of the node; rejects as it does. */
function onNode<T>(node: LabNode, work: (self: Process) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    spawn(
      node,
      (self) =>
        work(self)
          .then(resolve, reject)
          .then(() => 0),
      { argv: ['window'] },
    );
  });
}

/** The text of a file; undefined if there is none. */
export function readNodeFile(node: LabNode, path: string): Promise<string | undefined> {
  return onNode(node, async (self) => {
    try {
      return await readTextFile(self, path);
    } catch (error) {
      if (error instanceof SystemError && error.errno === ERRNO.ENOENT) return undefined;
      throw error;
    }
  });
}

export function writeNodeFile(node: LabNode, path: string, text: string): Promise<void> {
  return onNode(node, (self) => writeFile(self, path, text));
}
