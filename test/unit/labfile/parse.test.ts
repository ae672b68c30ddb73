/**
 * What a user sees of a wrong lab file: every problem, at its line, with what would be right.
 */
import { describe, expect, it } from 'vitest';
import { formatProblem, parseLab } from '../../../main/lab/file/parse.ts';

/** Problems as the command line prints them. */
function problemsOf(text: string): string[] {
  const parsed = parseLab(text, 'x.lab.yaml');
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
}

function warningsOf(text: string): string[] {
  const parsed = parseLab(text, 'x.lab.yaml');
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  return parsed.warnings.map(formatProblem);
}

/** A lab of two nodes whose link has the given lines; they begin at line 7. */
function withLink(...lines: string[]): string {
  return [
    'name: x',
    'nodes:',
    '  alpha: { stack: io-pkt-v4, interfaces: [en0, en1] }',
    '  beta: { stack: io-pkt-v4, interfaces: [en0] }',
    'links:',
    '  wire:',
    ...lines.map((line) => `    ${line}`),
    '',
  ].join('\n');
}

/** A node as the fourth line. */
function withNode(node: string): string {
  return `name: x\nnodes:\n  beta: { stack: io-pkt-v4, interfaces: [] }\n  alpha: ${node}\n`;
}

describe('three mistakes', () => {
  it('are three problems with their lines, in the order of the file', () => {
    const text = [
      'name: three',
      'nodes:',
      '  alpha: { stack: io-pkt-v5, interfaces: [en0] }',
      '  beta: { stack: io-pkt-v4, interfaces: [en0] }',
      'links:',
      '  wire:',
      '    between: [alpha:en0, beta:en1]',
      '    dealy: 1ms',
    ].join('\n');
    expect(problemsOf(text)).toEqual([
      'x.lab.yaml:3:19: nodes.alpha.stack: must be a stack: io-pkt-v4, io-pkt-v4-hc, io-pkt-v6-hc, or its whole ' +
        'command line such as "io-pkt-v4-hc -t2 -ptcpip forward", not "io-pkt-v5"',
      'x.lab.yaml:7:26: links.wire.between[1]: node beta has no interface en1; it has en0',
      'x.lab.yaml:8:5: links.wire.dealy: unknown key (did you mean delay?)',
    ]);
  });

  it('are found with Windows line ends and a byte order mark too', () => {
    const text = '\uFEFFname: x\r\nnodes:\r\n  alpha: { stack: io-pkt-v4 }\r\nlinks: []\r\nview: 3\r\n';
    expect(problemsOf(text).map((problem) => problem.split(':')[1])).toEqual(['3', '4', '5']);
  });
});

describe('mistakes in the YAML', () => {
  it.each([
    ['name: [', 1],
    ['name: x\nnodes:\n\talpha: 1\n', 3],
    ['name: "x\nnodes: {}\n', 1],
    ['name: x\nnodes:\n  "alpha: {}\n', 3],
    ["name: x\nnodes:\n  a: { stack: 'io-pkt-v4, interfaces: [en0] }\nlinks: {}\n", 3],
    ['name: x\nnodes: {}\n--- \nname: y\n', 3],
    ['name: *nowhere\nnodes: {}\n', 1],
    ['', 1],
    ['# nothing but a comment\n', 1],
  ])('%j is a problem on line %i', (text, line) => {
    expect(problemsOf(text)[0]).toMatch(new RegExp(`^x.lab.yaml:${String(line)}:\\d+: `));
  });

  it.each([
    [
      'name: x\nnodes:\n  a: { stack: io-pkt-v4, interfaces: [en0]\nlinks:\n',
      'x.lab.yaml:3:6: not valid YAML: this { is not closed',
    ],
    [
      'name: x\nnodes:\n  a: { stack: io-pkt-v4, interfaces: [en0 }\n',
      'x.lab.yaml:3:38: not valid YAML: this [ is not closed',
    ],
    [
      'name: x\nnodes:\n  a: { stack: "io-pkt-v4 }\n',
      'x.lab.yaml:3:15: not valid YAML: this " is not closed',
    ],
  ])('%j is reported where it opens', (text, expected) => {
    expect(problemsOf(text).some((problem) => problem.startsWith(expected))).toBe(true);
  });

  it('names a key that is given twice, at the second place', () => {
    expect(problemsOf('name: x\nnodes: {}\nname: y\n')).toEqual([
      'x.lab.yaml:3:1: name: "name" is given twice; keep one of them',
    ]);
  });

  it('still reports wrong values that stand before the place where the YAML breaks', () => {
    const problems = problemsOf(
      'name: 5\nnodes:\n  alpha: { stack: io-pkt-v4, interfaces: [en0] \nlinks: {}\n',
    );
    expect(problems[0]).toMatch(/^x.lab.yaml:1:7: name: must be a name/);
    expect(problems.slice(1).every((problem) => problem.includes('not valid YAML'))).toBe(true);
  });

  it('reads anchors and aliases', () => {
    const text =
      'name: x\nnodes:\n  alpha: &node { stack: io-pkt-v4, interfaces: [en0] }\n  beta: *node\nlinks: { w: { between: [alpha:en0, beta:en0] } }\n';
    expect(parseLab(text, 'x')).toMatchObject({
      ok: true,
      lab: { nodes: [{ name: 'alpha' }, { name: 'beta', interfaces: ['en0'] }] },
    });
  });
});

describe('mistakes in a node', () => {
  it.each([
    ['{ interfaces: [en0] }', 'nodes.alpha.stack: is required but missing'],
    ['{ stak: io-pkt-v4, interfaces: [] }', 'nodes.alpha.stak: unknown key (did you mean stack?)'],
    [
      '{ stack: io-pkt-v4, interfaces: en0 }',
      'nodes.alpha.interfaces: must be a list of interface names such as [en0, en1], not "en0"',
    ],
    ['{ stack: io-pkt-v4, interfaces: [en] }', 'nodes.alpha.interfaces[0]: must be an interface name'],
    ['{ stack: io-pkt-v4, interfaces: [en0, en0] }', 'nodes.alpha.interfaces[1]: en0 is listed twice'],
    ['{ stack: io-pkt-v4, interfaces: [lo0] }', 'nodes.alpha.interfaces[0]: lo0 is a loopback interface'],
    [
      '{ stack: io-pkt-v4, interfaces: [], startup: [5] }',
      'nodes.alpha.startup[0]: must be a command line (put it in quotes',
    ],
    ['{ stack: io-pkt-v4, interfaces: [], hostname: a_b }', 'nodes.alpha.hostname: must be a host name'],
    [
      '{ stack: io-pkt-v4, interfaces: [], files: { etc/hosts: x } }',
      'nodes.alpha.files["etc/hosts"]: must be an absolute path',
    ],
    [
      '{ stack: io-pkt-v4, interfaces: [], files: { /a/../b: x } }',
      'nodes.alpha.files["/a/../b"]: must be an absolute path',
    ],
    [
      '{ stack: io-pkt-v4, interfaces: [], env: { __proto__: x } }',
      'nodes.alpha.env.__proto__: __proto__ cannot be used as a name',
    ],
    [
      '{ stack: io-pkt-v4, interfaces: [], env: { 1A: x } }',
      'nodes.alpha.env.1A: must be an environment variable',
    ],
    ['[]', 'nodes.alpha: must be a mapping, not a list'],
    ['', 'nodes.alpha: must be a mapping such as'],
  ])('%s', (node, expected) => {
    const problems = problemsOf(withNode(node));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^x.lab.yaml:4:/);
    expect(problems[0]).toContain(` ${expected}`);
  });

  it.each(['constructor', 'prototype', '__proto__'])('a node cannot be called %s', (name) => {
    expect(problemsOf(`name: x\nnodes:\n  ${name}: { stack: io-pkt-v4, interfaces: [] }\n`)).toEqual([
      `x.lab.yaml:3:3: nodes.${name}: ${name} cannot be used as a name`,
    ]);
  });

  it('nodes, ports and switches share one set of names', () => {
    const text =
      'name: x\nnodes:\n  a: { stack: io-pkt-v4, interfaces: [] }\nports:\n  a: { tap: t0 }\nswitches:\n  a: {}\n';
    expect(problemsOf(text)).toEqual([
      'x.lab.yaml:5:3: ports.a: is already the name of one of the nodes; use another',
      'x.lab.yaml:7:3: switches.a: is already the name of one of the nodes; use another',
    ]);
  });
});

describe('mistakes in a link', () => {
  const ends = 'between: [alpha:en0, beta:en0]';
  it.each([
    [['between: [alpha:en0]'], 7, 'links.wire.between: must have at least two ends; this link has one'],
    [
      ['between: [alpha:en0, betta:en0]'],
      7,
      'links.wire.between[1]: there is no node, switch or port betta (did you mean beta?)',
    ],
    [
      ['between: [alpha:en0, beta]'],
      7,
      'links.wire.between[1]: must name an interface of node beta, as in beta:en0',
    ],
    [['between: [alpha:en0, alpha:en0]'], 7, 'links.wire.between[1]: alpha:en0 is already on this link'],
    [[ends, 'delay: 5'], 8, 'links.wire.delay: must be a duration such as 1ms; 5 has no unit'],
    [[ends, 'delay: 5 min'], 8, 'links.wire.delay: must be a duration such as 1ms (units: ns, us, ms, s)'],
    [[ends, 'delay: 0.5ns'], 8, 'links.wire.delay: must be a whole number of nanoseconds'],
    [[ends, 'delay: -1ms'], 8, 'links.wire.delay: must be a duration'],
    [[ends, 'loss: 0.1'], 8, 'links.wire.loss: must be a percentage such as 0.1%; 0.1 has no unit'],
    [[ends, 'loss: 101%'], 8, 'links.wire.loss: must be at most 100%'],
    [
      [ends, 'rate: 100mbps'],
      8,
      'links.wire.rate: must be a rate such as 100mbit (units: bit, kbit, mbit, gbit); "mbps" is not one',
    ],
    [[ends, 'rate: 0mbit'], 8, 'links.wire.rate: must be at least 1bit per second'],
    [[ends, 'queue: 0'], 8, 'links.wire.queue: must be a number of packets: a whole number from 1'],
    [[ends, 'queue: 1.5'], 8, 'links.wire.queue: must be a number of packets: a whole number from 1'],
    [[ends, 'mtu: 20'], 8, 'links.wire.mtu: must be a size in bytes: a whole number from 68 to 9000'],
    [
      [ends, 'alpha->gamma: {}'],
      8,
      'links.wire["alpha->gamma"]: gamma is not an end of this link; its ends are alpha:en0, beta:en0',
    ],
    [[ends, 'alpha->: {}'], 8, 'links.wire["alpha->"]: must be written as FROM->TO or FROM->*'],
    [[ends, 'alpha->alpha: {}'], 8, 'links.wire["alpha->alpha"]: must lead from one end to another'],
    [
      [ends, 'alpha->beta: { delay: 1 }'],
      8,
      'links.wire["alpha->beta"].delay: must be a duration such as 1ms; 1 has no unit',
    ],
    [[ends, 'alpha->beta: { mtu: 1500 }'], 8, 'links.wire["alpha->beta"].mtu: unknown key'],
    [
      [ends, 'alpha->beta: {}', 'alpha->*: {}'],
      9,
      'links.wire["alpha->*"]: is the same direction as alpha->beta',
    ],
    [
      ['between: [alpha:en0, alpha:en1]', 'alpha->alpha:en0: {}'],
      8,
      'links.wire["alpha->alpha:en0"]: alpha is on this link more than once; write alpha:en0 or alpha:en1',
    ],
    [
      ['between: [alpha:en0, alpha:en1, beta:en0]', 'beta->alpha:en0: {}'],
      8,
      'links.wire["beta->alpha:en0"]: names one receiver, but a link with 3 ends is a hub, which sends to all; write beta->*',
    ],
  ])('%j', (lines, line, expected) => {
    const problems = problemsOf(withLink(...lines));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`x.lab.yaml:${String(line)}:`);
    expect(problems[0]).toContain(` ${expected}`);
  });

  it('an interface on two links is reported at the second', () => {
    const text = `${withLink(ends)}  other:\n    between: [alpha:en1, beta:en0]\n`;
    expect(problemsOf(text)).toEqual([
      'x.lab.yaml:9:26: links.other.between[1]: beta:en0 is already on link wire; it can have one link',
    ]);
  });

  it('a switch has the ports it says and no more', () => {
    const text = `${withLink('between: [alpha:en0, sw]')}  two: { between: [alpha:en1, sw] }\n  three: { between: [beta:en0, sw:3] }\nswitches: { sw: { ports: 1 } }\n`;
    expect(problemsOf(text)).toEqual([
      'x.lab.yaml:8:31: links.two.between[1]: switch sw has only 1 ports, and this is link end number 2',
      'x.lab.yaml:9:32: links.three.between[1]: switch sw has no port 3; it has 1',
    ]);
  });
});

it('filters of captures are checked for what is seen there', () => {
  const lab = (capture: string, link = ''): string =>
    `name: x\nnodes:\n  a: { stack: io-pkt-v4, interfaces: [en0] }\n  b: { stack: io-pkt-v4, interfaces: [en0] }\n` +
    `links:\n  wire: { between: [a:${link === '' ? 'en0' : 'ser1'}, b:${link === '' ? 'en0' : 'ser1'}]${link} }\n` +
    `captures:\n  c: ${capture}\n`;
  const serial = ', serial: { baud: 9600 }';
  const fine = ['{ at: all, filter: tcp port 80 }', '{ at: a:en0, filter: "ether host 02:00:00:00:00:01" }'];
  for (const capture of fine) expect(parseLab(lab(capture), 'x').ok).toBe(true);
  expect(problemsOf(lab('{ at: link:wire, filter: tcp prt 80 }'))).toEqual([
    "x.lab.yaml:8:31: captures.c.filter: column 5: syntax error: 'prt' cannot stand here; expected 'and', 'or' or the end of the expression",
  ]);
  // On a serial line and a tunnel there are no frames.
  expect(parseLab(lab('{ at: all, filter: icmp }', serial), 'x').ok).toBe(true);
  for (const [capture, link] of [
    ['{ at: link:wire, filter: "ether host 02:00:00:00:00:01" }', serial],
    ['{ at: a:gif0, filter: "ether host 02:00:00:00:00:01" }', ''],
  ] as const)
    expect(problemsOf(lab(capture, link))[0]).toMatch(
      /captures\.c\.filter: column 1: .* not supported on DLT_RAW/,
    );
});

describe('mistakes in ports and captures', () => {
  const rest = 'name: x\nnodes: {}\n';
  it.each([
    ['ports:\n  p: { tap: averylongnamefortap }', 'ports.p.tap: must be at most 15 characters'],
    [
      'ports:\n  p: { tap: t0, address: 10.0.9.254 }',
      'ports.p.address: must be an address and prefix length',
    ],
    [
      'ports:\n  p: { tap: t0, address: 10.0.9.300/24 }',
      'ports.p.address: 10.0.9.300/24 has 300 in the address',
    ],
    [
      'ports:\n  p: { tap: t0, address: 10.0.9.0/24 }',
      'ports.p.address: 10.0.9.0/24 is the address of the network itself',
    ],
    [
      'ports:\n  p: { tap: t0, address: 10.0.9.255/24 }',
      'ports.p.address: 10.0.9.255/24 is the broadcast address',
    ],
    [
      'ports:\n  p: { tap: t0, address: 224.0.0.1/24 }',
      'ports.p.address: 224.0.0.1/24 is a multicast or reserved address',
    ],
    [
      'ports:\n  p: { tap: t0, address: 10.0.0.1/33 }',
      'ports.p.address: 10.0.0.1/33 has the prefix length 33',
    ],
    ['captures:\n  c: { at: link:wire }', 'captures.c.at: there is no link wire'],
    ['captures:\n  c: { at: alpha:en0 }', 'captures.c.at: there is no node alpha'],
    [
      'captures:\n  c: { at: all, filter: [icmp] }',
      'captures.c.filter: must be an expression of pcap-filter such as tcp port 80',
    ],
    [
      'captures:\n  c: { at: all, file: ../x.pcapng }',
      'captures.c.file: must be a .pcapng or .pcap file in the folder of the lab',
    ],
    [
      'captures:\n  c: { at: all, file: /etc/x.pcapng }',
      'captures.c.file: must be a .pcapng or .pcap file in the folder of the lab',
    ],
  ])('%j', (section, expected) => {
    const problems = problemsOf(`${rest}${section}\n`);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^x.lab.yaml:4:/);
    expect(problems[0]).toContain(` ${expected}`);
  });

  it('two ports cannot open the same TAP', () => {
    expect(problemsOf(`${rest}ports:\n  a: { tap: t0 }\n  b: { tap: t0 }\n`)).toEqual([
      'x.lab.yaml:5:13: ports.b.tap: t0 is already opened by port a',
    ]);
  });
});

describe('warnings', () => {
  it('name what is on no link, and do not stop the lab', () => {
    const text = `${withLink('between: [alpha:en0, beta:en0]')}ports:\n  host: { tap: t0 }\n`;
    expect(warningsOf(text)).toEqual([
      'x.lab.yaml:3:48: nodes.alpha.interfaces[1]: en1 is on no link',
      'x.lab.yaml:9:3: ports.host: is on no link',
    ]);
  });

  it('name a jitter above the delay, a second stack without an instance and a stray position', () => {
    const text =
      'name: x\nnodes:\n  a: { stack: io-pkt-v4, interfaces: [en0, en1], startup: [io-pkt-v4-hc, io-pkt-v4-hc -i1 -ptcpip prefix=/alt] }\n' +
      'links:\n  w: { between: [a:en0, a:en1], delay: 1ms, jitter: 2ms }\nview: { positions: { b: { x: 1, y: 2 } } }\n';
    expect(warningsOf(text).map((warning) => warning.split(': ').slice(0, 2).join(': '))).toEqual([
      'x.lab.yaml:3:60: nodes.a.startup[0]',
      'x.lab.yaml:5:53: links.w.jitter',
      'x.lab.yaml:6:22: view.positions.b',
    ]);
  });
});

describe('the normal form', () => {
  it('applies a direction to what its sender sends, on a hub by FROM->*', () => {
    const parsed = parseLab(
      withLink(
        'between: [alpha:en0, alpha:en1, beta:en0]',
        'delay: 1ms',
        'alpha:en1->*: { delay: 2ms, loss: 50% }',
      ),
      'x',
    );
    expect(
      parsed.ok && parsed.lab.links[0]?.directions.map(({ delayNs, lossP }) => [delayNs, lossP]),
    ).toEqual([
      [1e6, 0],
      [2e6, 0.5],
      [1e6, 0],
    ]);
  });

  it('fills in defaults and keeps the order of the file', () => {
    const text = `name: x
nodes:
  zeta: { stack: "io-pkt-v4-hc -t2 -ptcpip forward", interfaces: [en0], env: { SOCK: /alt }, files: { /etc/motd: hello } }
  alpha: { stack: io-pkt-v6-hc, interfaces: [en0], hostname: a.lab }
switches: { sw: {} }
links: { one: { between: [zeta:en0, sw] }, two: { between: [sw:uplink, alpha:en0] } }
captures: { everything: { at: all, file: out/all.pcapng }, one: { at: "link:one" }, z: { at: zeta:en0 } }
`;
    const parsed = parseLab(text, 'x');
    expect(parsed).toMatchObject({
      ok: true,
      lab: {
        nodes: [
          {
            name: 'zeta',
            variant: 'io-pkt-v4-hc',
            stackCommand: 'io-pkt-v4-hc -t2 -ptcpip forward',
            hostname: 'zeta',
            startup: [],
            env: [{ name: 'SOCK', value: '/alt' }],
            files: [{ path: '/etc/motd', content: 'hello' }],
          },
          { name: 'alpha', variant: 'io-pkt-v6-hc', hostname: 'a.lab', env: [], files: [] },
        ],
        switches: [{ name: 'sw', ageingNs: 1200e9 }],
        links: [
          { ends: [{ kind: 'node' }, { kind: 'switch', name: 'sw', port: '2' }] },
          { ends: [{ kind: 'switch', name: 'sw', port: 'uplink' }, { kind: 'node' }] },
        ],
        captures: [
          { at: { kind: 'all' }, file: 'out/all.pcapng' },
          { at: { kind: 'link', link: 'one' }, file: undefined },
          { at: { kind: 'interface', node: 'zeta', interface: 'en0' }, file: undefined },
        ],
      },
    });
  });
});
