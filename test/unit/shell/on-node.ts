// Runs command lines on a fresh node, as `stackscope run --exec` does.
import { collector, sourceOf } from '../../../stack/kernel/byte-stream.ts';
import { createNode } from '../../../stack/kernel/node.ts';
import type { LabNode } from '../../../stack/kernel/process.ts';
import { runCommandLine } from '../../../stack/utilities/shell/shell.ts';
import '../../../stack/utilities/programs.ts';

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

export interface TestNode {
  readonly node: LabNode;
  run(line: string, stdin?: string): Promise<Outcome>;
}

/** A node named alpha. Shut it down with `node.shutdown()`. */
export function testNode(): TestNode {
  const node = createNode({ name: 'alpha' });
  return {
    node,
    async run(line, stdin = '') {
      const stdout = collector();
      const stderr = collector();
      const status = await runCommandLine(node, line, { stdout, stderr, stdin: sourceOf(stdin) });
      return { stdout: stdout.text(), stderr: stderr.text(), status };
    },
  };
}
