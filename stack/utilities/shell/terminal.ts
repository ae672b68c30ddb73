/**
 * A node's console: keys for the line editor while the shell reads a command, and a line discipline (termios(4), canonical mode with echo) for
 * the program in the foreground.
 */
import { interruptible, toBytes } from '../../kernel/byte-stream.ts';
import type { ByteSink, ByteSource } from '../../kernel/byte-stream.ts';

/** A terminal as a host offers it: UTF-8 text with the escape sequences of a VT100/xterm both ways. */
export interface Terminal {
  write(text: string): void;
  /** Calls back for everything typed. */
  onInput(listener: (text: string) => void): void;
  readonly columns: number;
  readonly rows: number;
  onResize(listener: () => void): void;
}

const ESCAPE = '\x1b';
const CTRL_C = '\x03';
const CTRL_D = '\x04';
const CTRL_U = '\x15';
const BACKSPACE = '\x7f';

export interface Console {
  /** Standard streams of programs on this terminal. */
  readonly source: ByteSource;
  readonly sink: ByteSink;
  readonly terminal: Terminal;
  /** The next key or text for the line editor: see `takeKey`. Rejects with EINTR when `signal` aborts. */
  nextKey(signal: AbortSignal): Promise<string>;
  /** While a job runs, input is its own and Ctrl-C calls `onInterrupt`; undefined gives the input back to the editor. */
  setForeground(onInterrupt: (() => void) | undefined): void;
}

/**
 * Takes one key from the start of `input`: an escape sequence or a character. Returns '' when a sequence is not complete yet.
 */
export function takeKey(input: string): string {
  if (!input.startsWith(ESCAPE)) return String.fromCodePoint(input.codePointAt(0)!);
  // CSI and SS3 sequences (ECMA-48), or a key with Alt.
  const sequence = /^(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[^[O])/su.exec(input.slice(1));
  return sequence === null ? '' : ESCAPE + sequence[0];
}

export function openConsole(terminal: Terminal): Console {
  let typed = '';
  /** Lines completed for the foreground job; undefined is an end of file. */
  let lines: (string | undefined)[] = [];
  let partial = '';
  let onInterrupt: (() => void) | undefined;
  let wake: (() => void)[] = [];

  /** Reads of the foreground job under way: only then is input edited and echoed. */
  let reading = 0;

  const change = (signal: AbortSignal | undefined): Promise<void> =>
    interruptible(new Promise<void>((resolve) => wake.push(resolve)), signal, 'read');
  const echo = (text: string): void => terminal.write(text);

  function cook(key: string): void {
    if (key === '\r' || key === '\n') {
      echo('\r\n');
      lines.push(`${partial}\n`);
      partial = '';
    } else if (key === CTRL_D) {
      // At the start of a line the end of the file; elsewhere what has been typed so far is delivered.
      lines.push(partial === '' ? undefined : partial);
      partial = '';
    } else if (key === BACKSPACE || key === '\b') {
      if (partial !== '') echo('\b \b');
      partial = [...partial].slice(0, -1).join('');
    } else if (key === CTRL_U) {
      echo('\b \b'.repeat([...partial].length));
      partial = '';
    } else if (key >= ' ' || key === '\t') {
      partial += key;
      echo(key);
    }
  }

  /** Gives the foreground job what it reads. Ctrl-C counts whether it reads or not, and takes away all that was typed before. */
  function feed(): void {
    if (onInterrupt === undefined) return;
    const interrupt = typed.lastIndexOf(CTRL_C);
    if (interrupt >= 0) {
      typed = typed.slice(interrupt + 1);
      partial = '';
      lines = [];
      echo('^C\r\n');
      onInterrupt();
    }
    while (reading > 0 && lines.length === 0 && typed !== '') {
      const key = takeKey(typed);
      if (key === '') break;
      typed = typed.slice(key.length);
      if (!key.startsWith(ESCAPE)) cook(key);
    }
  }

  async function readLine(signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    reading++;
    try {
      feed();
      while (lines.length === 0) await change(signal);
      const line = lines.shift();
      return line === undefined ? undefined : toBytes(line);
    } finally {
      reading--;
    }
  }

  terminal.onInput((text) => {
    typed += text;
    feed();
    const resume = wake;
    wake = [];
    for (const each of resume) each();
  });

  return {
    terminal,
    source: {
      isTerminal: true,
      read: readLine,
      close: () => undefined,
    },
    sink: {
      isTerminal: true,
      get columns() {
        return terminal.columns;
      },
      get rows() {
        return terminal.rows;
      },
      write: (data) => writeCooked(terminal, data),
      end: () => undefined,
    },
    async nextKey(signal) {
      for (;;) {
        const key = typed === '' ? '' : takeKey(typed);
        typed = typed.slice(key.length);
        if (key !== '') return key;
        await change(signal);
      }
    },
    setForeground(interrupt) {
      onInterrupt = interrupt;
      feed();
      if (interrupt !== undefined) return;
      // What the job has not read was typed ahead for the shell.
      typed = lines.filter((line) => line !== undefined).join('') + partial + typed;
      lines = [];
      partial = '';
    },
  };
}

const decoders = new WeakMap<Terminal, TextDecoder>();

/** Output processing of termios: a line feed also returns the carriage. */
function writeCooked(terminal: Terminal, data: Uint8Array | string): Promise<void> {
  const decoder = decoders.get(terminal) ?? new TextDecoder();
  decoders.set(terminal, decoder);
  const text = typeof data === 'string' ? data : decoder.decode(data, { stream: true });
  terminal.write(text.replace(/\r?\n/g, '\r\n'));
  return Promise.resolve();
}
