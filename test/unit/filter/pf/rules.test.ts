// What rules say, in normal form: both generations, list by list and option by option (pf.conf(5)).
import { describe, expect, it } from 'vitest';
import { listed, messagesOf, read } from './reading.ts';

const NEW = { generation: '4.2' } as const;

describe('a rule of 3.7', () => {
  it.each([
    ['pass in', 'pass in all'],
    ['pass in all keep state', 'pass in all keep state'],
    ['block', 'block drop all'],
    ['block in quick log-all on en0', 'block drop in log-all quick on en0 all'],
    ['block return-rst (ttl 5) proto tcp', 'block return-rst(ttl 5) proto tcp all'],
    ['block return-icmp (host-unr, 4) all', 'block return-icmp(host-unr, port-unr) all'],
    ['block return-icmp6 inet6', 'block return-icmp6(port-unr) inet6 all'],
    ['pass proto 250', 'pass proto 250 all'],
    ['pass from 10/8 to ! 10.1/16', 'pass inet from 10.0.0.0/8 to ! 10.1.0.0/16'],
    ['pass from 0/0 to 10.0.0.1', 'pass inet from any to 10.0.0.1'],
    ['pass from 2001:0DB8:0:0::/32', 'pass inet6 from 2001:db8::/32 to any'],
    ['pass from (en0:network:0)/20 to <t>', 'pass from (en0:network:0)/20 to <t>'],
    ['pass inet from (en0)/64', 'pass inet from (en0) to any'],
    ['pass from en1:network to en1:broadcast', 'pass inet from 192.0.2.0/24 to 192.0.2.255'],
    ['pass from tun0:peer', 'pass inet from 172.20.0.2 to any'],
    ['pass from en1/16', 'pass inet from 192.0.0.0/16 to any'],
    ['pass from fe80::9%en0', 'pass on en0 inet6 from fe80::9 to any'],
    ['pass from route "office"', 'pass from route "office" to any'],
    ['pass proto tcp user > 1000 group != unknown', 'pass proto tcp all user > 1000 group != unknown'],
    ['pass proto tcp flags AS/SAFR', 'pass proto tcp all flags SA/FSRA'],
    [
      'pass inet proto icmp icmp-type unreach code 4',
      'pass inet proto icmp all icmp-type unreach code needfrag',
    ],
    ['pass tos lowdelay', 'pass all tos 0x10'],
    ['pass proto udp modulate state', 'pass proto udp all keep state'],
    ['pass keep state (max 10, no-sync)', 'pass all keep state (max 10, no-sync)'],
    ['pass keep state (max-src-states 3)', 'pass all keep state (source-track global, max-src-states 3)'],
    [
      'pass keep state (tcp.tsdiff 5, group-bound, tcp.first 0, src.track 9)',
      'pass all keep state (group-bound, src.track 9, tcp.tsdiff 5)',
    ],
    ['pass probability 33%', 'pass all probability 33%'],
    ['pass fragment allow-opts', 'pass all fragment allow-opts'],
    [
      'pass out queue (a, b) keep state tag x y !tagged z',
      'pass out all keep state queue(a, b) tag x y ! tagged z',
    ],
    ['pass in fastroute', 'pass in fastroute all'],
    [
      'pass in route-to { (en0 10.1.0.2), (en1 192.0.2.2) }',
      'pass in route-to { (en0 10.1.0.2), (en1 192.0.2.2) } round-robin inet all',
    ],
    [
      'pass in reply-to (en0 10.1.0.2) sticky-address',
      'pass in reply-to (en0 10.1.0.2) sticky-address inet all',
    ],
    ['anchor foo bar in on en0', 'anchor "foo bar" in on en0 all'],
    ['rdr-anchor r proto tcp to port 80', 'rdr-anchor "r" proto tcp from any to any port = http'],
  ])('%s', (rule, normal) => {
    expect(listed(rule)).toEqual([normal]);
  });

  it('of translation', () => {
    expect(
      listed(
        [
          'nat pass on en1 from 10.1/16 -> (en1) port 2000:3000',
          'nat on en1 from 10.2.0.1 -> 192.0.2.128/25 source-hash secret static-port',
          'no nat on en1 from any to 10/8',
          'rdr on en1 proto { tcp udp } to en1 port 53 -> { 10.1.0.2 10.1.0.3 }',
          'rdr on en1 proto tcp to port 8000:8010 -> 10.1.0.2 port 80:*',
          'binat on en1 from 10.1.0.9 to any tag b -> 192.0.2.9',
        ].join('\n'),
      ),
    ).toEqual([
      'nat pass on en1 inet from 10.1.0.0/16 to any -> (en1) port 2000:3000 round-robin',
      'nat on en1 inet from 10.2.0.1 to any -> 192.0.2.128/25 source-hash 0x5ebe2294ecd0e0f08eab7690d2a6ee69 static-port',
      'no nat on en1 inet from any to 10.0.0.0/8',
      'rdr on en1 inet proto tcp from any to 192.0.2.1 port = domain -> { 10.1.0.2, 10.1.0.3 } round-robin',
      'rdr on en1 inet proto udp from any to 192.0.2.1 port = domain -> { 10.1.0.2, 10.1.0.3 } round-robin',
      'rdr on en1 inet proto tcp from any to any port 8000:8010 -> 10.1.0.2 port 80:90',
      'binat on en1 inet from 10.1.0.9 to any tag b -> 192.0.2.9',
    ]);
  });

  it('of normalization', () => {
    expect(
      listed(
        'scrub in on en0 all min-ttl 5 no-df\nscrub proto tcp reassemble tcp fragment crop\nno scrub out',
      ),
    ).toEqual([
      'scrub in on en0 all no-df min-ttl 5 fragment reassemble',
      'scrub proto tcp all reassemble tcp fragment crop',
      'no scrub out all',
    ]);
  });

  it('against spoofed addresses', () => {
    expect(listed('antispoof quick for { lo0 en0 } inet label spoof')).toEqual([
      'block drop in quick on ! lo0 inet from 127.0.0.0/8 to any label "spoof"',
      'block drop in quick on ! en0 inet from 10.1.0.0/24 to any label "spoof"',
      'block drop in quick on ! en0 inet from 10.1.9.0/24 to any label "spoof"',
      'block drop in quick inet from 10.1.0.1 to any label "spoof"',
      'block drop in quick inet from 10.1.9.1 to any label "spoof"',
    ]);
    expect(listed('antispoof for (en1)')).toEqual([
      'block drop in on ! en1 from (en1:network) to any',
      'block drop in from (en1) to any',
    ]);
  });
});

describe('a rule of 4.2', () => {
  it.each([
    ['pass in', 'pass in all flags S/SA keep state'],
    ['pass proto udp', 'pass proto udp all keep state'],
    ['pass proto tcp flags any', 'pass proto tcp all flags any keep state'],
    ['pass no state', 'pass all no state'],
    ['pass fragment', 'pass all keep state fragment'],
    ['block out log (all, to pflog2, user)', 'block drop out log (all, user, to pflog2) all'],
    [
      'pass keep state (max 25)',
      'pass all flags S/SA keep state (max 25, adaptive.start 12, adaptive.end 24)',
    ],
    ['pass from ! urpf-failed rtable 3', 'pass from ! urpf-failed to any flags S/SA keep state rtable 3'],
    ['anchor "a/b"', 'anchor "/b" all'],
    ['pass keep state (max 5) probability 0.5%', 'pass all flags S/SA keep state probability 0.5% (max 5)'],
    [
      'pass proto tcp to port 1:9 label "$dstport"',
      'pass proto tcp from any to any port 1:9 flags S/SA keep state',
    ],
    ['nat log (all) on en0 from any -> 10.1.0.1', 'nat log (all) on en0 inet all -> 10.1.0.1'],
  ])('%s', (rule, normal) => {
    expect(listed(rule, NEW)).toEqual([normal]);
  });

  it.each([
    ['a/b', 'b'],
    ['a/b/*', 'b'],
  ])('an anchor %j with its rules in braces is listed as %j', (path, name) => {
    expect(listed(`anchor "${path}" {\nblock\n}`, NEW)[0]).toBe(`anchor "${name}" all {`);
  });

  it('in the braces of an anchor stands in that anchor', () => {
    const text =
      'anchor out {\npass in\nanchor "web" proto tcp to port 80 {\nblock\n}\n}\nanchor { pass\n}'.replace(
        'anchor { pass',
        'anchor {\npass',
      );
    const { ruleSet } = read(text.replace('anchor out {', 'anchor main out {'), NEW);
    expect(Object.keys(ruleSet.anchors)).toEqual(['', 'main', 'main/web', '_3']);
    expect(listed(text.replace('anchor out {', 'anchor main out {'), NEW)).toEqual([
      'anchor "main" out all {',
      '  pass in all flags S/SA keep state',
      '  anchor "web" proto tcp from any to any port = http {',
      '    block drop all',
      '  }',
      '}',
      'anchor all {',
      '  pass all flags S/SA keep state',
      '}',
    ]);
  });
});

describe('lists', () => {
  it('of ports keep their operators, names stand for all their addresses', () => {
    expect(listed('pass proto tcp from any port > 1023 to any port { ftp, 1:3, 5 >< 9 }')).toEqual([
      'pass proto tcp from any port > 1023 to any port = ftp',
      'pass proto tcp from any port > 1023 to any port 1:3',
      'pass proto tcp from any port > 1023 to any port 5 >< 9',
    ]);
    expect(listed('pass from www.example.net')).toEqual([
      'pass inet from 198.51.100.7 to any',
      'pass inet6 from 2001:db8:1::7 to any',
    ]);
  });

  it('may be nested in 4.2', () => {
    expect(listed('block from { any 10.0.0.1 { 10.0.0.2 } }', NEW)).toEqual([
      'block drop inet from 10.0.0.1 to any',
      'block drop inet from 10.0.0.2 to any',
    ]);
  });

  it('are multiplied out, the last one fastest', () => {
    expect(listed('pass on { en0 en1 } proto { tcp udp } from any port 7 to any port { 8 9 }')).toEqual([
      'pass on en0 proto tcp from any port = echo to any port = 8',
      'pass on en0 proto tcp from any port = echo to any port = discard',
      'pass on en0 proto udp from any port = echo to any port = 8',
      'pass on en0 proto udp from any port = echo to any port = discard',
      'pass on en1 proto tcp from any port = echo to any port = 8',
      'pass on en1 proto tcp from any port = echo to any port = discard',
      'pass on en1 proto udp from any port = echo to any port = 8',
      'pass on en1 proto udp from any port = echo to any port = discard',
    ]);
  });

  it('of both families give no rule that could not match', () => {
    expect(listed('pass from { 10.0.0.1 ::1 } to { 10.0.0.2 ::2 }')).toEqual([
      'pass inet from 10.0.0.1 to 10.0.0.2',
      'pass inet6 from ::1 to ::2',
    ]);
    expect(messagesOf('pass inet6 from 10.0.0.1')).toEqual(['rule expands to no valid combination']);
  });

  it('that explode are refused', () => {
    const ports = Array.from({ length: 400 }, (_, i) => i + 1).join(' ');
    const [message] = messagesOf(`pass proto tcp from any port { ${ports} } to any port { ${ports} }`);
    expect(message).toMatch(/expands to 160000 combinations; a rule set may have 100000/);
  });

  it('fill the labels of their rules', () => {
    expect(
      read(
        'pass on en0 proto tcp from { 10/8 <t> } port < 9 label "$nr $if $proto $srcaddr $srcport $dstaddr:$dstport"',
      ).ruleSet.anchors['']?.filter.map(({ label }) => label),
    ).toEqual(['0 en0 tcp 10.0.0.0/8 <9 any:', '1 en0 tcp <t> <9 any:']);
  });
});

describe('macros', () => {
  it('stand for words, also for parts of them', () => {
    expect(listed('if = en0\nnets = "{ 10/8" "192.168/16" "}"\npass on $if from $nets to $if:0')).toEqual([
      'if = "en0"',
      'nets = "{ 10/8 192.168/16 }"',
      'pass on en0 inet from 10.0.0.0/8 to 10.1.0.1',
      'pass on en0 inet from 192.168.0.0/16 to 10.1.0.1',
    ]);
  });

  it('are not replaced in quotes, and must be known', () => {
    expect(listed('a = x\npass label "$a"')).toEqual(['a = "x"', 'pass all label "$a"']);
    expect(messagesOf('pass on $nowhere')).toEqual(["macro 'nowhere' not defined"]);
  });

  it('of the command line stand against those of the file', () => {
    expect(listed('if = en0\npass on $if', { macros: { if: 'en1' } })).toEqual([
      'if = "en0"',
      'pass on en1 all',
    ]);
  });
});

describe('tables', () => {
  it('hold addresses, names, interfaces and files', () => {
    const { ruleSet } = read('table <t> persist { 10/8 !10.1.0.1 en1 } file "/etc/spammers" { ::1 }');
    expect(ruleSet.anchors['']?.tables).toMatchObject([
      {
        name: 't',
        persist: true,
        files: ['/etc/spammers'],
        addresses: [
          { address: '10.0.0.0', length: 8 },
          { address: '10.1.0.1', length: 32, not: true },
          { address: '192.0.2.1', length: 32 },
          { address: '203.0.113.0', length: 24 },
          { address: '203.0.113.7', not: true },
          { af: 'inet6', address: '2001:db8:bad::', length: 48 },
          { af: 'inet6', address: '::1', length: 128 },
        ],
      },
    ]);
    expect(listed('table <t> persist { 10/8 } { !10.1.0.1 } file "/etc/spammers" { ::1 }')).toEqual([
      'table <t> persist { 10.0.0.0/8 !10.1.0.1 } file "/etc/spammers" { ::1 }',
    ]);
  });

  it.each([
    ['table <t> { <u> }', 'tables cannot contain tables'],
    ['table <t> { (en0) }', 'dynamic addresses are not permitted inside tables'],
    ['table <t> file "/none"', 'cannot load "/none": No such file or directory'],
    [
      'table <t> file "/etc/broken"',
      'file "/etc/broken" contains bad data: no IP address found for no.such.host',
    ],
    ['table <t> forever', "invalid table option 'forever'"],
    [`table <${'x'.repeat(32)}>`, 'table name too long, max 31 chars'],
  ])('%s is wrong', (text, message) => {
    expect(messagesOf(text)).toEqual([message]);
  });
});

it('options are kept, and listed as they are written', () => {
  const text = [
    'set timeout { tcp.first 10, frag 5 }',
    'set limit states 20',
    'set skip on { lo0 en1 }',
    'set hostid 255',
    'set block-policy return',
    'set state-policy if-bound',
    'block',
    'pass keep state',
    'pass keep state (floating)',
  ].join('\n');
  expect(listed(text)).toEqual([
    'set timeout tcp.first 10',
    'set timeout frag 5',
    'set limit states 20',
    'set skip on { lo0 en1 }',
    'set hostid 0x000000ff',
    'set block-policy return',
    'set state-policy if-bound',
    'block return all',
    'pass all keep state (if-bound)',
    'pass all keep state',
  ]);
  expect(read(text).ruleSet.options).toEqual({
    timeouts: { 'tcp.first': 10, frag: 5 },
    limits: { states: 20 },
    skip: ['lo0', 'en1'],
    hostid: 255,
    blockPolicy: 'return',
    statePolicy: 'if-bound',
  });
});
