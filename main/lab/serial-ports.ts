/**
 * The serial ports of a node, /dev/ser1 and so on: the ends of its serial links. Like devc-ser8250 a process that manages these paths; all they can do is to be taken by a
 * line discipline (slattach).
 */
import { resourceManager } from '../../stack/kernel/resource-manager.ts';
import type { IoFunctions } from '../../stack/kernel/resource-manager.ts';
import { spawn } from '../../stack/kernel/process.ts';
import type { LabNode } from '../../stack/kernel/process.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';

/** A port: its end of the line (net/plug.ts), and its speed. */
export interface SerialPort {
  readonly line: number;
  readonly baud: number;
}

/** Puts the ports of a node, by name, into its path space; nothing if there are none. */
export function serveSerialPorts(node: LabNode, ports: ReadonlyMap<string, SerialPort>): void {
  if (ports.size === 0) return;
  spawn(
    node,
    async (self) => {
      const manager = resourceManager(self);
      for (const [name, port] of ports) manager.attach(`/dev/${name}`, { open: () => ({}) }, ioOf(port));
      await manager.serve();
      return 0;
    },
    { argv: ['devc-ser8250'] },
  );
}

function ioOf(port: SerialPort): IoFunctions<object> {
  return {
    devctl(_context, _ocb, command) {
      if (command === 'SLIPDISC') return port;
      throw new SystemError(ERRNO.ENOTTY, command);
    },
    stat: () => ({ kind: 'device', size: 0, mtime: 0, mode: 0o666 }),
  };
}
