/**
 * The one list of the programs of every node: importing it registers them all.
 */
import { launchStack } from '../kernel/io-pkt.ts';
import { registerProgram } from '../kernel/program-table.ts';
import type { ProgramEntry } from '../kernel/program-table.ts';
import { arp } from './arp.ts';
import { brconfig } from './brconfig.ts';
import { cp, mkdir, mv, rm, touch } from './file-utilities.ts';
import { help } from './help.ts';
import { httpClient } from './http.ts';
import { httpd } from './httpd.ts';
import { ifconfig } from './ifconfig.ts';
import { ls } from './ls.ts';
import { mount } from './mount.ts';
import { nc } from './nc.ts';
import { netstat } from './netstat.ts';
import { nicinfo } from './nicinfo.ts';
import { pfctl } from './pfctl.ts';
import { pidin } from './pidin.ts';
import { ping } from './ping.ts';
import { env, falseCommand, hostname, on, slay, sleep, trueCommand, waitfor } from './process-utilities.ts';
import { route } from './route.ts';
import { sh } from './shell/shell.ts';
import { sloginfo } from './sloginfo.ts';
import { sysctl } from './sysctl.ts';
import { cat, echo, grep, head, tail, tee, wc } from './text-utilities.ts';
import { tcpdump } from './tcpdump.ts';
import { traceroute } from './traceroute.ts';
import { ttcp } from './ttcp.ts';
import { slattach } from './slattach.ts';
import { umount } from './umount.ts';
import { use } from './use.ts';

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
  arp,
  brconfig,
  cat,
  cp,
  echo,
  env,
  falseCommand,
  grep,
  head,
  help,
  hostname,
  httpClient,
  httpd,
  ifconfig,
  ls,
  mkdir,
  mount,
  mv,
  nc,
  netstat,
  nicinfo,
  on,
  pfctl,
  pidin,
  ping,
  rm,
  route,
  { name: 'sh', usage: '[-c line | file]', summary: 'run command lines', run: sh },
  slay,
  sleep,
  sloginfo,
  sysctl,
  tail,
  tcpdump,
  tee,
  touch,
  traceroute,
  trueCommand,
  ttcp,
  slattach,
  umount,
  use,
  waitfor,
  wc,
];
for (const program of programs) registerProgram(program);
