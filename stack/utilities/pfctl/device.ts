/** /dev/pf as pfctl uses it: typed calls on an open device. */
import type {
  PfControl,
  PfControlIn,
  PfControlOut,
  PfRuleInfo,
  PfStateInfo,
  PfTableAddressInfo,
} from '../../filter/pf/ioctl.ts';
import type { PfPart } from '../../filter/pf/ruleset.ts';
import { close, devctl, open } from '../../kernel/files.ts';
import { O_RDWR } from '../../kernel/io-message.ts';
import type { Process } from '../../kernel/process.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { CommandError } from '../command.ts';

export const PF_DEVICE = '/dev/pf';
/** Records asked for in one call. */
const CHUNK = 256;

export class PfDevice {
  readonly #self: Process;
  readonly #fd: number;

  constructor(self: Process, fd: number) {
    this.#self = self;
    this.#fd = fd;
  }

  /** One call. Throws SystemError. */
  async call<N extends PfControl>(name: N, argument: PfControlIn<N>): Promise<PfControlOut<N>> {
    // The module answers each call with what the table says.
    return (await devctl(this.#self, this.#fd, name, argument)) as PfControlOut<N>;
  }

  /** All rules of a list; `clear` zeroes their counters. */
  async rules(anchor: string, part: PfPart, clear: boolean): Promise<PfRuleInfo[]> {
    const rules: PfRuleInfo[] = [];
    for (;;) {
      const answer = await this.call('DIOCGETRULES', {
        anchor,
        part,
        first: rules.length,
        count: CHUNK,
        clear,
      });
      rules.push(...answer.rules);
      if (answer.rules.length === 0 || rules.length >= answer.total) return rules;
    }
  }

  async states(): Promise<PfStateInfo[]> {
    const all: PfStateInfo[] = [];
    for (;;) {
      const after = all.at(-1)?.id;
      const { states } = await this.call('DIOCGETSTATES', {
        count: CHUNK,
        ...(after !== undefined && { after }),
      });
      all.push(...states);
      if (states.length < CHUNK) return all;
    }
  }

  /** All addresses of a table. */
  async tableAddresses(anchor: string, table: string): Promise<PfTableAddressInfo[]> {
    const all: PfTableAddressInfo[] = [];
    for (;;) {
      const answer = await this.call('DIOCRGETASTATS', { anchor, table, first: all.length, count: CHUNK });
      all.push(...answer.addresses);
      if (answer.addresses.length === 0 || all.length >= answer.total) return all;
    }
  }

  close(): Promise<void> {
    return close(this.#self, this.#fd);
  }
}

/** Opens the device. Throws CommandError that says what is missing. */
export async function openPf(self: Process, path: string): Promise<PfDevice> {
  const device = await tryOpenPf(self, path);
  if (device) return device;
  throw new CommandError(
    `${path}: No such file or directory (is lsm-pf-v4.so mounted? mount -T io-pkt lsm-pf-v4.so)`,
  );
}

/** Opens the device; undefined where there is none. */
export async function tryOpenPf(self: Process, path: string): Promise<PfDevice | undefined> {
  try {
    return new PfDevice(self, await open(self, path, O_RDWR));
  } catch (error) {
    if (error instanceof SystemError && error.errno === ERRNO.ENOENT) return undefined;
    throw error;
  }
}

/** Whether a call failed with this error number. */
export function isErrno(error: unknown, errno: number): error is SystemError {
  return error instanceof SystemError && error.errno === errno;
}
