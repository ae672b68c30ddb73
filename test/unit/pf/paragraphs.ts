// What PF does with a packet, paragraph by paragraph, and the tests that prove each: a file of this folder and the name that it gives the test, before its values are filled in.

/** A paragraph by its title, and its proofs as `file: name of the test`. */
export const PARAGRAPHS: Readonly<Record<string, readonly string[]>> = {
  // The path of a packet.
  'PF is switched off': ['path: switched off it filters nothing, and switched on again what it did before'],
  'An interface is skipped': ['rules: skipped interfaces are not filtered'],
  'PF has made the packet itself': ['path: what PF sends itself passes, though rules would block it'],
  'Scrub and reassembly come first': [
    'scrub: fragments are put together before they are filtered',
    'path: packets of a state are scrubbed first',
    'scrub: no-df, min-ttl and random-id change the header',
    'scrub: no scrub leaves packets alone',
    'scrub: crop cuts off what has passed already',
    'scrub: drop-ovl drops a datagram whose fragments overlap',
  ],
  'Fragments that are left alone meet rules without ports': [
    'scrub: without scrub a fragment meets rules that need no ports',
    'scrub: a fragment of UDP meets rules that ask for flags of TCP',
  ],
  'TCP is normalised': [
    'scrub: flags %s make no sense',
    'scrub: a segment that begins and ends a connection only begins it',
    'scrub: stray bits and urgent pointers that mean nothing are cleared',
    'scrub: max-mss limits what a SYN announces',
    'scrub: reassemble tcp hides timestamps and evens out the time to live',
    'scrub: a timestamp that is out of time is a reason to drop; one outside of the window says nothing',
  ],
  'A state lets pass without rules': [
    'states: answers pass by the state, strangers do not',
    'states: packets of a state are not evaluated against the rules',
    'states: states outlive the rules that made them',
  ],
  'A state translates without a search for a translation': [
    'path: packets of a state are translated as its first one was, whatever the rules say now',
    'translation: translation rules count what they translated',
  ],
  'A state of TCP follows windows and numbers': [
    'states: a TCP connection goes through its states',
    'states: segments outside of the window are dropped and counted',
    'states: a reset must have the very number that is expected',
    'states: windows are scaled as the SYNs say',
    'states: a new SYN on a finished connection ends its state',
  ],
  'Numbers are modulated, handshakes answered': [
    'states: modulate state shifts the numbers of the side that begins, and shifts them back in answers',
    'states: synproxy answers the handshake and begins one with the server only when it is complete',
  ],
  'ICMP errors go with the packet that they quote': [
    'states: an ICMP error passes with the connection that it quotes, and only then',
    'states: an ICMP error about a segment must quote a number that was sent',
    'states: an ICMP error about a later fragment tells nothing of ports, and is dropped',
    'translation: an ICMP error quotes the packet as its sender knows it',
  ],
  'Out, binat goes before nat': ['path: out: binat is asked before nat'],
  'In, rdr goes before binat': ['path: in: rdr is asked before binat'],
  'The first translation that matches is taken': [
    'translation: the first rule that matches translates; no stops the search',
  ],
  'A translation with no ends the search': [
    'translation: the first rule that matches translates; no stops the search',
    'anchors: translation has anchors of its own',
  ],
  'Addresses are rewritten before rules are asked': [
    'translation: filter rules see what translation has made, unless the rule says pass',
    'translation: what is blocked behind a translation is answered with its own addresses',
  ],
  'A translation that passes skips the rules': [
    'translation: filter rules see what translation has made, unless the rule says pass',
  ],
  'The last rule that matches decides': ['rules: the last rule that matches decides'],
  'A quick rule ends the walk': ['rules: a quick rule ends the walk'],
  'Without a match a packet passes': [
    'rules: without rules everything passes',
    'path: no match passes, without a state',
  ],
  'Options of IP need a rule that allows them': [
    'rules: options of IP are dropped unless the rule allows them',
  ],
  'Options of IP need a state that allows them': [
    'log: options of IP that are dropped are logged whatever the rule says, with a state or without',
  ],
  'Tags are put on as rules match': [
    'rules: tags go with a packet from its way in to its way out',
    'rules: a tag is there for the rules behind the one that puts it on, which need not decide',
    'translation: filter rules see the tag of a translation',
  ],
  'Bare acknowledgements and low delay take the second queue': [
    'altq: bare acknowledgements and packets that ask for low delay take the second queue of a rule',
  ],
  'What is logged': [
    'log: a rule that logs shows the packets that it decides about',
    'log: rules in anchors are shown with the anchor',
    'log: of a state only its first packet is logged, with log-all every one',
    'log: a translation that passes logs every packet of its states with log-all',
    'log: what cannot be read is logged',
  ],
  'What is counted': [
    'rules: packets and bytes are those of the rule that decides',
    'anchors: rules behind an anchor count for it and for the anchor',
    'states: the counters of a state are those of its two directions',
    'path: the counters of an interface tell directions and fates apart',
    'tracking: a table counts packets of its addresses by direction and fate',
    'tracking: answers count for the addresses that the rule of their state names',
  ],
  'Packets go another way than the route': [
    'translation: route-to sends packets out by another interface, reply-to their answers',
    'translation: dup-to sends a copy',
    'translation: packets that rules send round in circles are dropped',
  ],
  'Who is blocked may be told': [
    'rules: return-rst answers a SYN, return-icmp and return a datagram',
    'rules: return answers what is neither TCP, UDP nor ICMP with port unreachable',
  ],

  // The order of tests.
  'Rules that share what is not met are skipped together': [
    'path: rules that are alike up to their %s are skipped together',
    'translation: of binat rules for packets in, too, those are skipped that are like one that was not met',
  ],
  'The other criteria are met one rule at a time': [
    'path: a rule whose %s is not met is looked at, and so is the next one',
    'rules: flags, types of ICMP, type of service',
    'rules: a packet that no program takes has no user',
    'rules: a rule with a probability matches as often as it says',
    'path: the system that a SYN comes from is told by its window, options and time to live',
  ],
  'Evaluations count what was looked at': [
    'rules: evaluations count every rule that was looked at, and none that was skipped',
  ],

  // Anchors.
  'Anchors are entered to a bounded depth': [
    'anchors: anchors in anchors are entered as far as 64 deep',
    'anchors: anchors that lead to themselves end',
  ],
  'A wildcard visits children in the order of their names': [
    'anchors: a wildcard visits the anchors below it in the order of their names',
    'anchors: a wildcard does not visit the anchor that it stands below, nor what is two below',
  ],
  'Quick on an anchor counts if something inside has matched': [
    'anchors: quick on an anchor ends the walk only if something inside has matched',
    'anchors: quick on an anchor ends the walk even if the rule inside had matched before',
    'anchors: a quick rule in an anchor ends the whole walk',
  ],

  // Adaptive time-outs.
  'Time-outs shrink between start and end': [
    'states: adaptive time-outs shorten the lives of states when there are many',
  ],
  'From the end on states expire at once': [
    'path: from the end of the adaptive scale on states expire at once',
  ],
  'A rule that has its own start goes by its own states': [
    'path: adaptive values of a rule go before those of all, and by the states of that rule',
  ],
  'Without values nothing is adapted': ['path: time-outs and limits are those of PF unless they are set'],

  // Time-outs and limits.
  'Time-outs have their values': [
    'path: time-outs and limits are those of PF unless they are set',
    'states: %s is %i s',
    'path: a TCP state lives as long as what it has come to allows',
    'path: %s: first, single and multiple',
    'path: icmp: an answered query has the time of an error',
    'scrub: fragments of a datagram that never completes are forgotten',
    'tracking: sources go when their states are gone, later with src.track',
  ],
  'A rule has time-outs of its own': [
    'states: time-outs of a rule are those of its states',
    'states: a time-out of 0 of a rule is that of all rules',
  ],
  'Limits have their values, and hold': [
    'path: time-outs and limits are those of PF unless they are set',
    'states: the limit of all states holds, too',
    'states: a rule makes no more states than max',
    'path: the limits of fragments and of sources hold',
  ],

  // Reasons.
  'Reasons are in their order': ['reasons: the reasons stand in the order in which pfctl shows them'],
  // Congestion is that of an input queue that overflows: the lab's interfaces drop before PF is asked.
  'Each reason is met': [
    'reasons: %s is a reason to drop, and counted',
    'reasons: state-insert is a reason to drop, and counted',
    'scrub: a timestamp that is out of time is a reason to drop; one outside of the window says nothing',
  ],

  // Tables and systems.
  'The longest prefix decides': [
    'tracking: a table holds networks; the longest prefix decides, and what is negated is not in it',
    'tracking: ten thousand networks: each address finds the longest',
  ],
  'What is negated is not in a table': [
    'tracking: a table holds networks; the longest prefix decides, and what is negated is not in it',
  ],
  'Systems are told by their SYN': [
    'path: the system that a SYN comes from is told by its window, options and time to live',
  ],
};
