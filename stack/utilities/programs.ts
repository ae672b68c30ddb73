/**
 * The one list of the programs of every node: importing it registers them all.
 */
import { launchStack } from '../kernel/io-pkt.ts';
import { registerProgram } from '../kernel/program-table.ts';
import type { ProgramEntry } from '../kernel/program-table.ts';
import { cp, mkdir, mv, rm, touch } from './file-utilities.ts';
import { help } from './help.ts';
import { ls } from './ls.ts';
import { pidin } from './pidin.ts';
import { env, falseCommand, hostname, on, slay, sleep, trueCommand, waitfor } from './process-utilities.ts';
import { sh } from './shell/shell.ts';
import { sloginfo } from './sloginfo.ts';
import { cat, echo, grep, head, tail, tee, wc } from './text-utilities.ts';

const STACK_USAGE =
  '[-d driver [options]]... [-p protocol [options]]... [-i instance] [-t threads] [-P priority] [-Sv]';
const stacks = ['io-pkt-v4', 'io-pkt-v4-hc', 'io-pkt-v6-hc'].map((name): ProgramEntry => ({
  name,
  usage: STACK_USAGE,
  summary: 'start a network manager',
  run: launchStack,
}));

const programs: readonly ProgramEntry[] = [
  ...stacks,
  cat,
  cp,
  echo,
  env,
  falseCommand,
  grep,
  head,
  help,
  hostname,
  ls,
  mkdir,
  mv,
  on,
  pidin,
  rm,
  { name: 'sh', usage: '[-c line | file]', summary: 'run command lines', run: sh },
  slay,
  sleep,
  sloginfo,
  tail,
  tee,
  touch,
  trueCommand,
  waitfor,
  wc,
];
for (const program of programs) registerProgram(program);
