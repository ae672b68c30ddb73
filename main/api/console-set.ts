/**
 * The consoles of one connection: numbers them, gathers their output into few messages, and holds output back
 * while the renderer reads too slowly. Held output is bounded: the oldest text goes first and is counted.
 */
import type { EventData, EventName } from './contract.ts';
import type { LabConsole, LabHost } from './lab-host.ts';
import type { ConsoleSize } from './model.ts';

/** The most consoles one connection may have open. */
const maxConsoles = 64;
/** Characters of output kept for a renderer that does not keep up. */
const maxHeldOutput = 1024 * 1024;
/** Milliseconds in which output is gathered before it is sent: less than a person notices. */
const gatherTime = 8;

export interface ConsoleSet {
  /** @throws Error when too many are open or the node refuses. */
  open(node: string, size: ConsoleSize): number;
  /** @throws Error when there is no such console. */
  get(id: number): LabConsole;
  close(id: number): void;
  closeAll(): void;
  /** Sends what was held back, if the connection is ready again. */
  flush(): void;
}

interface OpenConsole {
  readonly shell: LabConsole;
  output: string;
  lost: number;
  status: number | undefined;
}

export function openConsoles(
  host: LabHost,
  sendEvent: <E extends EventName>(event: E, data: EventData<E>) => void,
  ready: () => boolean,
): ConsoleSet {
  const consoles = new Map<number, OpenConsole>();
  let lastId = 0;
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    timer = undefined;
    for (const [id, entry] of consoles) {
      if (!ready()) return;
      if (entry.output !== '') sendEvent('console.output', { console: id, text: takeOutput(entry) });
      if (entry.status !== undefined) {
        consoles.delete(id);
        sendEvent('console.exit', { console: id, status: entry.status });
      }
    }
  }

  function schedule(): void {
    timer ??= setTimeout(flush, gatherTime);
  }

  function get(id: number): OpenConsole {
    const entry = consoles.get(id);
    if (entry === undefined) throw new Error(`there is no open console ${id}`);
    return entry;
  }

  function open(node: string, size: ConsoleSize): number {
    if (consoles.size >= maxConsoles) throw new Error(`${maxConsoles} consoles are open; close one first`);
    const entry: OpenConsole = {
      shell: host.openConsole(node, size),
      output: '',
      lost: 0,
      status: undefined,
    };
    const id = ++lastId;
    consoles.set(id, entry);
    entry.shell.onOutput((text) => {
      holdOutput(entry, text);
      schedule();
    });
    entry.shell.onExit((status) => {
      entry.status = status;
      schedule();
    });
    return id;
  }

  function close(id: number): void {
    get(id).shell.close();
    consoles.delete(id);
  }

  return {
    open,
    get: (id) => get(id).shell,
    close,
    closeAll: () => {
      clearTimeout(timer);
      for (const id of [...consoles.keys()]) close(id);
    },
    flush,
  };
}

function holdOutput(entry: OpenConsole, text: string): void {
  entry.output += text;
  const excess = entry.output.length - maxHeldOutput;
  if (excess <= 0) return;
  entry.output = entry.output.slice(excess);
  entry.lost += excess;
}

function takeOutput(entry: OpenConsole): string {
  const notice = entry.lost > 0 ? `\r\n[${entry.lost} characters of output were not shown]\r\n` : '';
  const text = notice + entry.output;
  entry.output = '';
  entry.lost = 0;
  return text;
}
