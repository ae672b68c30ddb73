/** An interactive shell on a node, behind the console interface of hosts. */
import type { LabConsole } from '../../api/lab-host.ts';
import type { ConsoleSize } from '../../api/model.ts';
import type { LabNode } from '../../../stack/kernel/process.ts';
import { interactiveShell } from '../../../stack/utilities/shell/interactive.ts';

/** The shell starts at once; what it prints before somebody listens is kept for the first listener. */
export function openNodeConsole(node: LabNode, size: ConsoleSize): LabConsole {
  const outputs = new Set<(text: string) => void>();
  let { columns, rows } = size;
  let early = '';
  let onInput: (text: string) => void = () => undefined;
  let onResize: () => void = () => undefined;

  const shell = interactiveShell(node, {
    write: (text) => {
      if (outputs.size === 0) early += text;
      for (const output of outputs) output(text);
    },
    onInput: (listener) => {
      onInput = listener;
    },
    get columns() {
      return columns;
    },
    get rows() {
      return rows;
    },
    onResize: (listener) => {
      onResize = listener;
    },
  });

  return {
    write: (text) => onInput(text),
    resize: (changed) => {
      ({ columns, rows } = changed);
      onResize();
    },
    onOutput: (listener) => {
      outputs.add(listener);
      if (early !== '') listener(early);
      early = '';
      return () => outputs.delete(listener);
    },
    onExit: (listener) => {
      let listening = true;
      void shell.exited.then((status) => {
        if (listening) listener(status);
      });
      return () => {
        listening = false;
      };
    },
    close: () => shell.kill('SIGHUP'),
  };
}
