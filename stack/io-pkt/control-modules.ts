/**
 * Control calls to protocol modules: what is read and written at a path of their own.
 */
import { controlProtocol, readProtocol, writeProtocol } from '../netinet/module-protocol.ts';
import type { Controls } from './controls.ts';

export const moduleControls: Pick<Controls, 'MODULE_READ' | 'MODULE_WRITE' | 'MODULE_CONTROL'> = {
  MODULE_READ: (stack, { file }) => ({ text: readProtocol(stack, file) }),
  MODULE_WRITE(stack, { file, text }) {
    writeProtocol(stack, file, text);
    return {};
  },
  MODULE_CONTROL: (stack, { file, command, data }) => ({
    reply: controlProtocol(stack, file, command, data),
  }),
};
