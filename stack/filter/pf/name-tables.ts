/**
 * Names and numbers of services, protocols, users and groups, read from files in the formats of services(5), protocols(5), passwd(5) and group(5), with tables of
 * the names that a lab meets where a machine has no such files.
 */
import type { PfEnvironment } from './environment.ts';

export interface ServiceEntry {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly aliases: readonly string[];
}

export interface ProtocolEntry {
  readonly name: string;
  readonly number: number;
  readonly aliases: readonly string[];
}

export interface IdEntry {
  readonly name: string;
  readonly id: number;
}

export interface NameTables {
  readonly services: readonly ServiceEntry[];
  readonly protocols: readonly ProtocolEntry[];
  readonly users: readonly IdEntry[];
  readonly groups: readonly IdEntry[];
}

function fields(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/));
}

/** Entries of a services(5) file; lines that are none are skipped. */
export function parseServices(text: string): ServiceEntry[] {
  return fields(text).flatMap(([name, where, ...aliases]) => {
    const [port, protocol] = (where ?? '').split('/');
    if (name === undefined || protocol === undefined || !/^\d+$/.test(port ?? '')) return [];
    return [{ name, port: Number(port), protocol, aliases }];
  });
}

/** Entries of a protocols(5) file; lines that are none are skipped. */
export function parseProtocols(text: string): ProtocolEntry[] {
  return fields(text).flatMap(([name, number, ...aliases]) =>
    name !== undefined && /^\d+$/.test(number ?? '') ? [{ name, number: Number(number), aliases }] : [],
  );
}

/** Names and numbers of a passwd(5) or group(5) file; lines that are none are skipped. */
export function parseIds(text: string): IdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , id] = line.split(':');
    return name && /^\d+$/.test(id ?? '') ? [{ name, id: Number(id) }] : [];
  });
}

type Names = Pick<
  PfEnvironment,
  'servicePort' | 'serviceName' | 'protocolNumber' | 'protocolName' | 'userId' | 'groupId'
>;

function firstOf<K, V>(pairs: readonly (readonly [K, V])[]): Map<K, V> {
  const map = new Map<K, V>();
  for (const [key, value] of pairs) if (!map.has(key)) map.set(key, value);
  return map;
}

/** The look-ups of an environment over tables; earlier entries come first. */
export function namesOf({ services, protocols, users, groups }: NameTables): Names {
  const named = services.flatMap((entry) =>
    [entry.name, ...entry.aliases].map((name) => [name, entry] as const),
  );
  const ports = firstOf([
    ...named
      .filter(([, { protocol }]) => protocol === 'tcp')
      .map(([name, { port }]) => [name, port] as const),
    ...named
      .filter(([, { protocol }]) => protocol === 'udp')
      .map(([name, { port }]) => [name, port] as const),
  ]);
  const serviceNames = firstOf(
    services.map(({ name, port, protocol }) => [`${port}/${protocol}`, name] as const),
  );
  const numbers = firstOf(
    protocols.flatMap(({ name, number, aliases }) => [name, ...aliases].map((one) => [one, number] as const)),
  );
  const protocolNames = firstOf(protocols.map(({ name, number }) => [number, name] as const));
  const userIds = firstOf(users.map(({ name, id }) => [name, id] as const));
  const groupIds = firstOf(groups.map(({ name, id }) => [name, id] as const));
  return {
    servicePort: (name) => ports.get(name),
    serviceName: (port, protocol) => serviceNames.get(`${port}/${protocol}`),
    protocolNumber: (name) => numbers.get(name),
    protocolName: (number) => protocolNames.get(number),
    userId: (name) => userIds.get(name),
    groupId: (name) => groupIds.get(name),
  };
}

const SERVICES = `
tcpmux 1/tcp
echo 7/tcp
echo 7/udp
discard 9/tcp sink null
discard 9/udp sink null
systat 11/tcp users
daytime 13/tcp
daytime 13/udp
netstat 15/tcp
qotd 17/tcp quote
chargen 19/tcp ttytst source
chargen 19/udp ttytst source
ftp-data 20/tcp
ftp 21/tcp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp mail
time 37/tcp timserver
time 37/udp timserver
whois 43/tcp nicname
tacacs 49/tcp
tacacs 49/udp
domain 53/tcp
domain 53/udp
bootps 67/udp
bootpc 68/udp
tftp 69/udp
gopher 70/tcp
finger 79/tcp
http 80/tcp www
kerberos 88/tcp kerberos5 krb5
kerberos 88/udp kerberos5 krb5
pop3 110/tcp pop-3
sunrpc 111/tcp portmapper
sunrpc 111/udp portmapper
auth 113/tcp authentication tap ident
nntp 119/tcp readnews untp
ntp 123/udp
epmap 135/tcp loc-srv
netbios-ns 137/udp
netbios-dgm 138/udp
netbios-ssn 139/tcp
imap2 143/tcp imap
snmp 161/tcp
snmp 161/udp
snmp-trap 162/tcp snmptrap
snmp-trap 162/udp snmptrap
bgp 179/tcp
irc 194/tcp
irc 194/udp
ldap 389/tcp
ldap 389/udp
https 443/tcp
https 443/udp
microsoft-ds 445/tcp
microsoft-ds 445/udp
isakmp 500/udp
exec 512/tcp
biff 512/udp comsat
login 513/tcp
who 513/udp whod
shell 514/tcp cmd syslog
syslog 514/udp
printer 515/tcp spooler
talk 517/udp
ntalk 518/udp
route 520/udp router routed
submission 587/tcp
ipp 631/tcp
ldaps 636/tcp
ldaps 636/udp
rsync 873/tcp
ftps-data 989/tcp
ftps 990/tcp
telnets 992/tcp
imaps 993/tcp
pop3s 995/tcp
socks 1080/tcp
openvpn 1194/tcp
openvpn 1194/udp
ms-sql-s 1433/tcp
radius 1812/tcp
radius 1812/udp
radius-acct 1813/tcp radacct
radius-acct 1813/udp radacct
nfs 2049/tcp
nfs 2049/udp
mysql 3306/tcp
postgresql 5432/tcp postgres
sip 5060/tcp
sip 5060/udp
sip-tls 5061/tcp
sip-tls 5061/udp
x11 6000/tcp x11-0
http-alt 8080/tcp webcache
`;

const PROTOCOLS = `
ip 0 IP
icmp 1 ICMP
igmp 2 IGMP
ggp 3 GGP
ipencap 4 IP-ENCAP
st 5 ST
tcp 6 TCP
egp 8 EGP
igp 9 IGP
pup 12 PUP
udp 17 UDP
hmp 20 HMP
xns-idp 22 XNS-IDP
rdp 27 RDP
iso-tp4 29 ISO-TP4
dccp 33 DCCP
xtp 36 XTP
ddp 37 DDP
idpr-cmtp 38 IDPR-CMTP
ipv6 41 IPv6
ipv6-route 43 IPv6-Route
ipv6-frag 44 IPv6-Frag
idrp 45 IDRP
rsvp 46 RSVP
gre 47 GRE
esp 50 IPSEC-ESP
ah 51 IPSEC-AH
skip 57 SKIP
ipv6-icmp 58 IPv6-ICMP icmp6 icmpv6
ipv6-nonxt 59 IPv6-NoNxt
ipv6-opts 60 IPv6-Opts
rspf 73 RSPF CPHB
vmtp 81 VMTP
eigrp 88 EIGRP
ospf 89 OSPFIGP
ax.25 93 AX.25
ipip 94 IPIP
etherip 97 ETHERIP
encap 98 ENCAP
pim 103 PIM
ipcomp 108 IPCOMP
vrrp 112 VRRP
l2tp 115 L2TP
isis 124 ISIS
sctp 132 SCTP
fc 133 FC
mobility-header 135 Mobility-Header
udplite 136 UDPLite
mpls-in-ip 137 MPLS-in-IP
manet 138
hip 139 HIP
shim6 140 Shim6
wesp 141 WESP
rohc 142 ROHC
`;

/** What a machine without files of its own knows. */
export const DEFAULT_NAMES: NameTables = {
  services: parseServices(SERVICES),
  protocols: parseProtocols(PROTOCOLS),
  users: [
    { name: 'root', id: 0 },
    { name: 'daemon', id: 1 },
    { name: 'bin', id: 2 },
    { name: 'nobody', id: 65_534 },
  ],
  groups: [
    { name: 'root', id: 0 },
    { name: 'wheel', id: 0 },
    { name: 'daemon', id: 1 },
    { name: 'bin', id: 2 },
    { name: 'nogroup', id: 65_534 },
  ],
};
