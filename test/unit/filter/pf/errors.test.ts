// What is refused, where, and that nothing of a wrong file is left.
import { describe, expect, it } from 'vitest';
import { pfErrorWithSource } from '../../../../stack/filter/pf/error-text.ts';
import { errorsOf, listed, messagesOf } from './reading.ts';

const NEW = { generation: '4.2' } as const;

describe('a rule is refused', () => {
  it.each([
    ['pass to port 80', 'port only applies to tcp/udp'],
    ['pass proto tcp to port 99999', 'illegal port value 99999'],
    ['pass proto tcp to port nosuch', 'unknown port nosuch'],
    ['pass proto tcp to port = 1:2', "':' cannot be used with an other port operator"],
    ['pass proto nosuch', 'unknown protocol nosuch'],
    ['pass proto 0', 'proto 0 cannot be used'],
    ['pass from nosuch', 'no IP address found for nosuch'],
    ['pass from lo0:broadcast', 'no IP address found for lo0:broadcast'],
    ['pass from 10.0.0.1/40', 'netmask 40 invalid for IPv4 address'],
    ['pass from en0:network/8', 'network or broadcast lookup, but extra netmask given'],
    ['pass from en0:network:peer', 'illegal combination of interface modifiers'],
    ['pass proto tcp user > unknown', 'user unknown requires operator = or !='],
    ['pass proto tcp flags A/S', 'flags always false'],
    ['pass proto udp flags S/SA', 'flags only apply to tcp'],
    ['pass proto udp from any os Linux', 'OS fingerprinting only apply to tcp'],
    ['pass inet proto icmp icmp-type 300', 'illegal icmp-type 300'],
    ['pass inet proto icmp icmp-type redir code needfrag', 'unknown icmp-code needfrag'],
    ['pass inet6 proto icmp', "proto icmp doesn't match address family inet6"],
    ['pass tos 256', 'illegal tos value 256'],
    ['pass probability 0%', 'invalid probability: 0%'],
    ['block allow-opts', 'allow-opts can only be specified for pass rules'],
    ['block keep state', "keep state on block rules doesn't make sense"],
    ['pass tag x', 'tags cannot be used without keep state'],
    ['pass keep state modulate state', 'modulate or keep cannot be redefined'],
    ['pass keep state (max 1, max 2)', "state option 'max' multiple definitions"],
    ['pass keep state (max-src-nodes 0)', "'max-src-nodes' must be > 0"],
    [
      'pass keep state (source-track global, max-src-conn 3)',
      "'max-src-conn' is incompatible with 'source-track global'",
    ],
    ['pass keep state (overload <t>)', "'overload' requires 'max-src-conn' or 'max-src-conn-rate'"],
    ['pass keep state (interval 3)', 'illegal state timeout interval'],
    ['pass route-to en0', 'direction must be explicit with rules that specify routing'],
    ['pass in route-to (en0 <t>) random', 'tables are only supported in round-robin routing pools'],
    [`pass label "${'x'.repeat(64)}"`, 'rule label too long, max 63 chars'],
    ['block return-rst proto udp', 'return-rst can only be applied to TCP rules'],
    ['scrub in quick', "scrub rules do not support 'quick'"],
    ['scrub in reassemble tcp', 'reassemble tcp rules can not specify direction'],
    ['scrub all min-ttl 3 min-ttl 4', 'min-ttl cannot be respecified'],
    ['nat on en0 from any', "translation rule requires '-> address'"],
    ['no nat on en0 -> 10.0.0.1', "translation rule with 'no' does not need '->'"],
    ['nat on en0 from 10/8 -> ::1', 'no translation address with matching address family found.'],
    [
      'nat on en0 from any -> { 1.1.1.1 1.1.1.2 } random',
      'only round-robin valid for multiple redirection addresses',
    ],
    ['rdr on en0 proto tcp to port > 3 -> 10.0.0.1', 'invalid port operator for rdr destination port'],
    ['rdr on en0 proto tcp -> 10.0.0.1 static-port', "the 'static-port' option is only valid with nat rules"],
    ['no nat on en0 from 10/8 static-port', "the 'static-port' option is only valid with nat rules"],
    ['nat on en0 from any -> 1.1.1.1 source-hash 0x12', 'hex key must be 128 bits (32 hex digits) long'],
    [
      'binat on en0 from 10.0.0.0/24 to any -> 10.2.0.0/25',
      "'binat' source mask and redirect mask must be the same",
    ],
    [
      'binat on en0 from <t> to any -> 10.2.0.0',
      'invalid use of table <t> as the source address of a binat rule',
    ],
    ['set limit foo 3', 'unable to set limit foo 3: there are states, src-nodes, frags'],
    ['set skip on ! en0', 'skip on ! <interface> is not supported'],
    ['set require-order maybe', "invalid value 'maybe', expected 'yes' or 'no'"],
    ['set hostid 0', 'hostid must be non-zero'],
    ['queue a', 'queue a has no parent'],
  ])('%s: %s', (rule, message) => {
    expect(messagesOf(rule)).toContain(message);
  });

  it.each([
    [
      'altq on en1 priq queue a\nqueue a priq(default)',
      'interface en1 does not know its bandwidth, please specify an absolute bandwidth',
    ],
    ['altq on en0 cbq queue a\nqueue a', 'should have one default queue on en0'],
    ['altq on en0 priq queue { a b }\nqueue a priq(default)\nqueue b', 'a and b have the same priority'],
    ['altq on en0 cbq queue a\nqueue a priority 8 cbq(default)', 'priority out of range: max 7'],
    ['altq on en0 cbq queue a\nqueue a hfsc', 'exactly one scheduler type per interface allowed'],
    [
      'altq on en0 cbq queue a\nqueue a bandwidth 200Mb cbq(default)',
      'bandwidth for a higher than interface',
    ],
    [
      'altq on en0 hfsc queue a\nqueue a hfsc(default realtime 90%)',
      'real-time sc exceeds 80% of the interface bandwidth',
    ],
    [
      'altq on en0 hfsc queue { a b }\nqueue a bandwidth 60% hfsc(default)\nqueue b bandwidth 50%',
      "linkshare sc exceeds parent's sc",
    ],
  ])('of queues: %s', (text, message) => {
    expect(messagesOf(text, NEW)).toContain(message);
  });
});

it.each([
  ['pass log (all)', '3.7'],
  ['pass no state', '3.7'],
  ['set ruleset-optimization basic', '3.7'],
  ['anchor a {\npass\n}', '3.7'],
  ['block in log-all', '4.2'],
  ['set state-policy group-bound', '4.2'],
  ['include "/etc/pf"', '4.2'],
  ['match in all', '4.2'],
] as const)('%s is no grammar of %s', (text, generation) => {
  expect(messagesOf(text, { generation })[0]).toBe('syntax error');
});

it('sections stand in their order, unless that is lifted', () => {
  const text = 'pass all\nscrub in all';
  expect(errorsOf(text)).toMatchObject([
    { line: 2, message: 'Rules must be in order: options, normalization, queueing, translation, filtering' },
  ]);
  expect(listed(`set require-order no\n${text}`)).toEqual([
    'set require-order no',
    'pass all',
    'scrub in all fragment reassemble',
  ]);
});

it('every error has its place, and those of later lines are found, too', () => {
  const errors = errorsOf('pass in on en0 proto tcpp \\\n  to port 80\n\npass in in\nblock all keep\n');
  expect(errors.map(({ line, column }) => [line, column])).toEqual([
    [1, 22],
    [4, 9],
    [5, 15],
  ]);
  expect(errors[1]).toMatchObject({ expected: "the end of the line instead of 'in'" });
});

it('an error is shown with its line and a caret', () => {
  const text = '\tpass out to badd\n';
  const [error] = errorsOf(text);
  expect(error && pfErrorWithSource(error, 'pf.conf', text)).toEqual([
    'pf.conf:1:14: no IP address found for badd',
    '  \tpass out to badd',
    '  \t            ^',
  ]);
});

it('what is not closed is told where it was opened', () => {
  expect(errorsOf('pass\npass label "abc\npass')).toMatchObject([
    { line: 2, column: 12, message: 'no closing "' },
  ]);
  expect(errorsOf('anchor a {\npass\n', NEW)).toMatchObject([{ message: 'syntax error' }]);
});

it('the errors in the braces of an anchor do not hide each other', () => {
  const errors = errorsOf('anchor a {\npass in in\nblock out out\npass\n}\npass out out', NEW);
  expect(errors.map(({ line }) => line)).toEqual([2, 3, 6]);
});
