/**
 * The one schema of a lab file: the source of its TypeScript types, of the shipped JSON schema and of the checks of single values.
 * Checks between values (does this node exist?) are in cross-check.ts.
 *
 * Every message is a clause that follows the path of the value: "links.wire.delay" + "must be …".
 */
import * as v from 'valibot';
import { MOST_FILTER_TEXT } from '../../capture/filter.ts';
import { parsePercent, parseDuration, parseRate, type Quantity } from './units.ts';

/** The variants of the network manager, as io-pkt names them. */
export const STACK_VARIANTS = ['io-pkt-v4', 'io-pkt-v4-hc', 'io-pkt-v6-hc'] as const;

/** Frames that may wait for a link with a rate, per sender, unless the lab says otherwise. */
export const DEFAULT_QUEUE = 64;

/** Bits per second on a serial link unless the lab says otherwise. */
export const DEFAULT_BAUD = 115_200;

/** Ends that a link may have. */
export const MAX_LINK_ENDS = 1024;

/** Ageing of a learning switch's entries unless the lab says otherwise: the bridge's documented 1200 s. */
export const DEFAULT_AGEING = '1200s';

/** Priority of a switch in the spanning tree unless the lab says otherwise, as of a bridge. */
export const DEFAULT_SWITCH_PRIORITY = 32_768;

/** A value as an error message names it. */
function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'number' || typeof value === 'boolean') return `the ${typeof value} ${String(value)}`;
  if (Array.isArray(value)) return 'a list';
  return value === null || value === undefined ? 'nothing' : 'a mapping';
}

type Message = (issue: { readonly input: unknown }) => string;

function must(wanted: string): Message {
  return (issue) => `must be ${wanted}, not ${describeValue(issue.input)}`;
}

function text(wanted: string, pattern: RegExp, maxLength: number) {
  return v.pipe(
    v.string(must(`${wanted} (put it in quotes if YAML reads it as something else)`)),
    v.maxLength(maxLength, `must be at most ${String(maxLength)} characters`),
    v.regex(pattern, must(wanted)),
  );
}

function freeText(wanted: string) {
  return v.string(must(`${wanted} (put it in quotes if YAML reads it as something else)`));
}

/** A string whose unit is part of it; a bare number is refused by saying what is missing. */
function quantity(wanted: string, parse: (text: string) => Quantity, pattern: RegExp) {
  return v.pipe(
    v.string((issue) =>
      typeof issue.input === 'number'
        ? `must be ${wanted}; ${String(issue.input)} has no unit`
        : must(wanted)(issue),
    ),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const read = parse(dataset.value);
      if (!read.ok) addIssue({ message: read.reason });
    }),
    v.metadata({ pattern: pattern.source }),
  );
}

const duration = quantity('a duration such as 1ms', parseDuration, /^\d+(\.\d+)?(ns|us|ms|s)$/);
const rate = quantity('a rate such as 100mbit', parseRate, /^\d+(\.\d+)?([kKmMgG]?[bB][iI][tT])$/);
const percent = quantity('a percentage such as 0.1%', parsePercent, /^\d+(\.\d+)?%$/);

function wholeNumber(wanted: string, least: number, most: number) {
  const message = must(`${wanted}: a whole number from ${String(least)} to ${String(most)}`);
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
}

/** The word of a node, switch, port, link or capture. */
const name = text(
  'a name: a letter, then letters, digits, - or _ (at most 63), ending in a letter or digit',
  /^[A-Za-z]([A-Za-z0-9_-]*[A-Za-z0-9])?$/,
  63,
);

const interfaceName = text(
  'an interface name: small letters and then a number, as in en0',
  /^[a-z][a-z0-9]*[0-9]$/,
  15,
);

const endpoint = text(
  'a link end: NODE:INTERFACE (alpha:en0), SWITCH, SWITCH:PORT or the name of a port',
  /^[A-Za-z][A-Za-z0-9_-]*(:[A-Za-z0-9_-]+)?$/,
  127,
);

const filePath = text(
  'an absolute path on the node, without . or .., as in /etc/hosts',
  /^(?!.*\/\.{1,2}(\/|$))(\/[^/\0]+)+$/,
  1023,
);

function describe<const T extends v.GenericSchema>(schema: T, description: string) {
  return v.pipe(schema, v.description(description));
}

const impairmentEntries = {
  delay: v.exactOptional(describe(duration, 'How long every frame takes, such as 1ms. Default 0.')),
  jitter: v.exactOptional(
    describe(
      duration,
      'The delay varies by up to this much, either way. Default 0. Order is kept; see reorder.',
    ),
  ),
  loss: v.exactOptional(describe(percent, 'Share of frames that vanish, such as 0.1%.')),
  duplicate: v.exactOptional(describe(percent, 'Share of frames that arrive twice.')),
  reorder: v.exactOptional(describe(percent, 'Share of frames that overtake those before them.')),
  corrupt: v.exactOptional(describe(percent, 'Share of frames with one bit flipped on the way.')),
  rate: v.exactOptional(
    describe(rate, 'Bits per second, such as 100mbit. Without it the link has no limit.'),
  ),
  queue: v.exactOptional(
    describe(
      wholeNumber('a number of packets', 1, 1_000_000),
      `Frames that may wait for the rate at one sender; more are dropped. Default ${String(DEFAULT_QUEUE)}.`,
    ),
  ),
};

/** Impairments of one direction of a link. */
export const impairmentsSchema = v.strictObject(
  impairmentEntries,
  must('a mapping of impairments such as {loss: 1%}'),
);

const nodeSchema = v.strictObject(
  {
    stack: describe(
      text(
        `a stack: ${STACK_VARIANTS.join(', ')}, or its whole command line such as "io-pkt-v4-hc -t2 -ptcpip forward"`,
        /^(io-pkt-v4|io-pkt-v4-hc|io-pkt-v6-hc)(\s.*)?$/,
        4096,
      ),
      'The network manager: io-pkt-v4, io-pkt-v4-hc or io-pkt-v6-hc, or a full command line that begins with one.',
    ),
    interfaces: describe(
      v.pipe(
        v.array(interfaceName, must('a list of interface names such as [en0, en1]')),
        v.maxLength(64, 'may name at most 64 interfaces'),
      ),
      'Names of the virtual network cards of the node, such as [en0, en1].',
    ),
    startup: v.exactOptional(
      describe(
        v.array(
          v.pipe(freeText('a command line'), v.regex(/\S/, 'must be a command line, not empty')),
          must('a list of command lines such as ["ifconfig en0 10.0.0.1/24 up"]'),
        ),
        'Commands run in order when the node starts. A trailing & leaves one in the background.',
      ),
    ),
    env: v.exactOptional(
      describe(
        v.record(
          text(
            'an environment variable: letters, digits and _, not starting with a digit',
            /^[A-Za-z_][A-Za-z0-9_]*$/,
            255,
          ),
          freeText('text'),
          must('a mapping of variables such as {SOCK: /alt}'),
        ),
        'Environment of the commands of this node.',
      ),
    ),
    hostname: v.exactOptional(
      describe(
        text(
          'a host name: letters, digits, - and dots',
          /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/,
          255,
        ),
        'Host name; the name of the node unless given.',
      ),
    ),
    files: v.exactOptional(
      describe(
        v.record(
          filePath,
          freeText('the text of the file'),
          must('a mapping of path to text such as {/etc/hosts: "…"}'),
        ),
        'Text files that exist on the node when it starts, by absolute path.',
      ),
    ),
  },
  must('a mapping such as {stack: io-pkt-v4-hc, interfaces: [en0]}'),
);

/** IPv4 address with prefix length; the octets' range is checked in cross-check.ts, where the message can say more. */
const addressWithPrefix = text(
  'an address and prefix length such as 10.0.9.254/24',
  /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/,
  18,
);

const portSchema = v.strictObject(
  {
    tap: describe(
      text(
        'a Linux interface name of at most 15 characters such as sscope0',
        /^(?!\.{1,2}$)[^\s/:%]{1,15}$/,
        15,
      ),
      'Name of the TAP interface on the host that this port opens, made if it does not exist.',
    ),
    address: v.exactOptional(
      describe(
        addressWithPrefix,
        'IPv4 address and prefix length given to the host side, such as 10.0.9.254/24.',
      ),
    ),
    persist: v.exactOptional(
      describe(
        v.boolean(must('true or false')),
        'Whether the TAP interface stays when the lab stops. Default false.',
      ),
    ),
  },
  must('a mapping such as {tap: sscope0, address: 10.0.9.254/24}'),
);

/** Marks the keys that the rest schema of an object is for; see json-schema.ts and shape.ts. */
export const REST_KEY_PATTERN = '->';

const linkEntries = {
  between: describe(
    v.pipe(
      v.array(endpoint, must('a list of link ends such as [alpha:en0, beta:en0]')),
      v.minLength(2, (issue) =>
        issue.input.length === 0
          ? 'must have at least two ends; this link has none'
          : 'must have at least two ends; this link has one',
      ),
      v.maxLength(MAX_LINK_ENDS, `may have at most ${String(MAX_LINK_ENDS)} ends; use a switch`),
    ),
    'The ends: NODE:INTERFACE, SWITCH, SWITCH:PORT or the name of a port. Two make a cable, more make a hub.',
  ),
  serial: v.exactOptional(
    describe(
      v.strictObject(
        {
          baud: v.exactOptional(
            describe(
              wholeNumber('a number of bits per second', 300, 4_000_000),
              `Bits per second; a byte takes ten, with its start and stop bit. Default ${String(DEFAULT_BAUD)}.`,
            ),
          ),
        },
        must('a mapping such as {baud: 115200}'),
      ),
      'Makes the link a serial line between ports of two nodes, as in [alpha:ser1, beta:ser1]: /dev/ser1 there.',
    ),
  ),
  ...impairmentEntries,
  mtu: v.exactOptional(
    describe(
      wholeNumber('a size in bytes', 68, 9000),
      'Largest packet in bytes, without the Ethernet header, that the link carries. Without it only the cards limit.',
    ),
  ),
};

/** A link without its directions. */
export const cableSchema = v.strictObject(linkEntries);

const linkSchema = v.pipe(
  v.objectWithRest(
    linkEntries,
    impairmentsSchema,
    must('a mapping such as {between: [alpha:en0, beta:en0], delay: 1ms}'),
  ),
  v.description(
    'Impairments at the top of a link count for every sender. A key "alpha->beta" replaces some of them for what alpha sends ' +
      'to beta; "alpha->*" for all that alpha sends, the only form on a hub. An end is named by its node, switch or port, ' +
      'or in full (alpha:en0) when a node has two ends on the link.',
  ),
);

const switchPortName = text(
  'the name of a switch port: letters, digits, - or _',
  /^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$/,
  63,
);

const switchSchema = v.strictObject(
  {
    ports: v.exactOptional(
      describe(
        v.union(
          [wholeNumber('a number of ports', 1, 4096), v.pipe(v.array(switchPortName), v.maxLength(4096))],
          must('a number of ports from 1 to 4096, or a list of port names such as [p1, p2]'),
        ),
        'How many ports (named 1, 2, …) or their names. Without it there are as many as the links need.',
      ),
    ),
    ageing: v.exactOptional(
      describe(
        duration,
        `How long an unused address stays learned; 0s means for ever. Default ${DEFAULT_AGEING}.`,
      ),
    ),
    stp: v.exactOptional(
      describe(
        v.boolean(must('true or false')),
        'Whether the switch takes part in the spanning tree (IEEE 802.1D), so that links may form loops. Default false.',
      ),
    ),
    priority: v.exactOptional(
      describe(
        wholeNumber('a priority', 0, 65_535),
        `Priority of the switch in the spanning tree; the lowest becomes the root. Default ${String(DEFAULT_SWITCH_PRIORITY)}.`,
      ),
    ),
  },
  must('a mapping such as {ports: 8}'),
);

const captureSchema = v.strictObject(
  {
    at: describe(
      text('all, link:NAME or NODE:INTERFACE', /^(all|[A-Za-z][A-Za-z0-9_-]*:[A-Za-z0-9_-]+)$/, 127),
      'Where to listen: all, link:NAME or NODE:INTERFACE.',
    ),
    file: v.exactOptional(
      describe(
        text(
          'a .pcapng or .pcap file in the folder of the lab or below it, as in wire.pcapng',
          /^(?!\/)(?![A-Za-z]:)(?!(.*[/\\])?\.\.([/\\]|$))[^\0]+\.(pcapng|pcap)$/,
          1023,
        ),
        'File to write, relative to the folder of the lab. Without it the packets are only shown.',
      ),
    ),
    filter: v.exactOptional(
      describe(
        text('an expression of pcap-filter such as tcp port 80', /^[^\0\n]+$/, MOST_FILTER_TEXT),
        'Which packets to take, in the language of pcap-filter, as in icmp or tcp port 80. Default: all.',
      ),
    ),
  },
  must('a mapping such as {at: link:wire, file: wire.pcapng}'),
);

const coordinateMessage = must('a number of pixels from -1000000 to 1000000');
const coordinate = v.pipe(
  v.number(coordinateMessage),
  v.minValue(-1e6, coordinateMessage),
  v.maxValue(1e6, coordinateMessage),
);

const viewSchema = v.strictObject(
  {
    positions: v.exactOptional(
      describe(
        v.record(
          name,
          v.strictObject({ x: coordinate, y: coordinate }, must('a mapping such as {x: 100, y: 200}')),
          must('a mapping of name to {x, y}'),
        ),
        'Places on the map of nodes, switches, ports and hubs, in pixels; x grows to the right, y downwards.',
      ),
    ),
    notes: v.exactOptional(
      describe(
        v.array(
          v.strictObject(
            { text: freeText('text'), x: coordinate, y: coordinate },
            must('a mapping such as {text: "…", x: 100, y: 200}'),
          ),
          must('a list of notes such as [{text: "…", x: 100, y: 200}]'),
        ),
        'Texts on the map.',
      ),
    ),
  },
  must('a mapping with positions'),
);

/** The schema of a whole lab file. */
export const labSchema = v.pipe(
  v.strictObject(
    {
      name: describe(name, 'Short name of the lab.'),
      description: v.exactOptional(describe(freeText('text'), 'What the lab shows.')),
      nodes: describe(
        v.record(name, nodeSchema, must('a mapping of name to node')),
        'The nodes by name. Nodes, switches and ports share one set of names.',
      ),
      ports: v.exactOptional(
        describe(
          v.record(name, portSchema, must('a mapping of name to port')),
          'Ways out of the lab, by name.',
        ),
      ),
      switches: v.exactOptional(
        describe(
          v.record(name, switchSchema, must('a mapping of name to switch')),
          'Learning switches, by name.',
        ),
      ),
      links: v.exactOptional(
        describe(v.record(name, linkSchema, must('a mapping of name to link')), 'Cables and hubs, by name.'),
      ),
      captures: v.exactOptional(
        describe(
          v.record(name, captureSchema, must('a mapping of name to capture')),
          'Captures made in every run, by name.',
        ),
      ),
      view: v.exactOptional(describe(viewSchema, 'How the lab is drawn; it changes nothing in the run.')),
    },
    must('a mapping that begins with name: and nodes:'),
  ),
  v.title('Stackscope lab'),
  v.description('A network of io-pkt nodes, the links between them and what is captured.'),
);
