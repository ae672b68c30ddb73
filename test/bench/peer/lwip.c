/*
 * Two lwIP stacks in one process, joined by a cable whose MTU is 1500: bulk TCP, or UDP datagrams, from one to the other.
 *
 *   lwip tcp SECONDS WARM-UP          prints the bits per second that arrived
 *   lwip udp BYTES SECONDS WARM-UP    prints the datagrams per second that arrived
 *
 * lwIP keeps its state in globals, so Debian's library is loaded twice, each time with a name space of its own (dlmopen(3)).
 * One thread drives both through the raw API, lwIP's fastest: no sockets, no locks, no context switches. What programs do is
 * done, too: bytes are copied in and out. The cable copies each frame, as a card does, and both stacks compute all checksums.
 * Debian's settings hold: segments of 1460 bytes, windows and send buffers of 64 KiB, optimised with -O2.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <lwip/udp.h>
#include <netif/ethernet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PORT = 5001, CABLE_FRAMES = 1024, BATCH = 32, CHUNK = 256 * 1024, ROUNDS_PER_LOOK = 64 };

/* The functions of the library that are used, each with the type that its header declares. */
#define FUNCTIONS(F)                                                                                                   \
  F(lwip_init) F(sys_check_timeouts) F(netif_add) F(netif_set_up) F(netif_set_link_up) F(netif_set_default)            \
  F(etharp_output) F(ethernet_input) F(pbuf_alloc) F(pbuf_free) F(pbuf_copy_partial) F(tcp_new) F(tcp_bind)            \
  F(tcp_listen_with_backlog) F(tcp_accept) F(tcp_connect) F(tcp_recv) F(tcp_recved) F(tcp_arg) F(tcp_write)            \
  F(tcp_output) F(tcp_err) F(udp_new) F(udp_bind) F(udp_connect) F(udp_send) F(udp_recv)

/* One stack: its copy of the library, its interface, and the frames on their way to it. */
struct node {
#define FUNCTION(name) __typeof__(&name) name;
  FUNCTIONS(FUNCTION)
#undef FUNCTION
  struct netif netif;
  struct node *peer;
  ip4_addr_t address;
  unsigned char number;
  struct pbuf *cable[CABLE_FRAMES];
  unsigned int first, last;
};

static struct node alpha, beta;
static unsigned char sent[CHUNK], received[CHUNK];
static double arrived;
static int connected;

static void fail(const char *what) {
  fprintf(stderr, "lwip: %s\n", what);
  exit(1);
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void load(struct node *node) {
  void *library = dlmopen(LM_ID_NEWLM, "liblwip.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fail(dlerror());
#define FUNCTION(name)                                                                                                 \
  if ((*(void **)&node->name = dlsym(library, #name)) == NULL) fail("the library lacks " #name);
  FUNCTIONS(FUNCTION)
#undef FUNCTION
}

/* The card sends: the frame goes to the other stack, in a buffer of that one; it is lost when the cable is full. */
static err_t transmit(struct netif *netif, struct pbuf *frame) {
  struct node *self = netif->state, *to = self->peer;
  if (to->last - to->first == CABLE_FRAMES) return ERR_IF;
  struct pbuf *copy = to->pbuf_alloc(PBUF_RAW, frame->tot_len, PBUF_RAM);
  if (copy == NULL) return ERR_MEM;
  self->pbuf_copy_partial(frame, copy->payload, frame->tot_len, 0);
  to->cable[to->last++ % CABLE_FRAMES] = copy;
  return ERR_OK;
}

static err_t card(struct netif *netif) {
  struct node *self = netif->state;
  netif->name[0] = 'e';
  netif->name[1] = 'n';
  netif->mtu = 1500;
  netif->hwaddr_len = 6;
  memcpy(netif->hwaddr, (unsigned char[]){2, 0, 0, 0, 0, self->number}, 6);
  netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
  netif->output = self->etharp_output;
  netif->linkoutput = transmit;
  return ERR_OK;
}

static void start(struct node *self, struct node *peer, unsigned char number) {
  ip4_addr_t mask;
  self->peer = peer;
  self->number = number;
  self->lwip_init();
  IP4_ADDR(&self->address, 198, 18, 0, number);
  IP4_ADDR(&mask, 255, 255, 255, 0);
  if (self->netif_add(&self->netif, &self->address, &mask, NULL, self, card, self->ethernet_input) == NULL)
    fail("no interface");
  self->netif_set_default(&self->netif);
  self->netif_set_up(&self->netif);
  self->netif_set_link_up(&self->netif);
}

/* Takes in what the cable holds for a stack. */
static void receive(struct node *self) {
  for (unsigned int end = self->last; self->first != end;) {
    struct pbuf *frame = self->cable[self->first++ % CABLE_FRAMES];
    if (self->netif.input(frame, &self->netif) != ERR_OK) self->pbuf_free(frame);
  }
}

/* A program reads what has arrived. */
static void take(struct pbuf *data) {
  beta.pbuf_copy_partial(data, received, data->tot_len, 0);
  beta.pbuf_free(data);
}

static err_t on_data(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t error) {
  (void)arg;
  if (data == NULL || error != ERR_OK) fail("the connection ended");
  unsigned int length = data->tot_len;
  take(data);
  beta.tcp_recved(pcb, (u16_t)length);
  arrived += length;
  return ERR_OK;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t error) {
  (void)arg;
  if (pcb == NULL || error != ERR_OK) fail("nothing to accept");
  beta.tcp_recv(pcb, on_data);
  return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error) {
  (void)arg, (void)pcb;
  if (error != ERR_OK) fail("no connection");
  connected = 1;
  return ERR_OK;
}

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *data, const ip_addr_t *from, u16_t port) {
  (void)arg, (void)pcb, (void)from, (void)port;
  take(data);
  arrived++;
}

static struct tcp_pcb *connect_tcp(void) {
  ip_addr_t any = IPADDR4_INIT(0), to;
  ip_addr_copy_from_ip4(to, beta.address);
  struct tcp_pcb *listening = beta.tcp_new();
  if (listening == NULL || beta.tcp_bind(listening, &any, PORT) != ERR_OK) fail("bind");
  beta.tcp_accept(beta.tcp_listen_with_backlog(listening, 1), on_accept);
  struct tcp_pcb *pcb = alpha.tcp_new();
  if (pcb == NULL || alpha.tcp_connect(pcb, &to, PORT, on_connected) != ERR_OK) fail("connect");
  return pcb;
}

/* A program writes as much as the send buffer takes. */
static void write_tcp(struct tcp_pcb *pcb) {
  while (connected) {
    u16_t room = (u16_t)LWIP_MIN(tcp_sndbuf(pcb), 0xffff);
    if (room < TCP_MSS || alpha.tcp_write(pcb, sent, room, TCP_WRITE_FLAG_COPY) != ERR_OK) break;
    alpha.tcp_output(pcb);
  }
}

static struct udp_pcb *connect_udp(void) {
  ip_addr_t any = IPADDR4_INIT(0), to;
  ip_addr_copy_from_ip4(to, beta.address);
  struct udp_pcb *receiving = beta.udp_new(), *pcb = alpha.udp_new();
  if (receiving == NULL || pcb == NULL) fail("no socket");
  if (beta.udp_bind(receiving, &any, PORT) != ERR_OK) fail("bind");
  beta.udp_recv(receiving, on_datagram, NULL);
  if (alpha.udp_connect(pcb, &to, PORT) != ERR_OK) fail("connect");
  return pcb;
}

static void write_udp(struct udp_pcb *pcb, unsigned int bytes) {
  for (int i = 0; i < BATCH; i++) {
    struct pbuf *data = alpha.pbuf_alloc(PBUF_TRANSPORT, (u16_t)bytes, PBUF_RAM);
    if (data == NULL) fail("no memory");
    memcpy(data->payload, sent, bytes);
    alpha.udp_send(pcb, data);
    alpha.pbuf_free(data);
  }
}

/* Programs send, and both stacks work, until then. */
static void run(struct tcp_pcb *tcp, struct udp_pcb *udp, unsigned int bytes, double until) {
  do {
    for (int i = 0; i < ROUNDS_PER_LOOK; i++) {
      if (tcp != NULL) write_tcp(tcp);
      else write_udp(udp, bytes);
      receive(&beta);
      receive(&alpha);
    }
    alpha.sys_check_timeouts();
    beta.sys_check_timeouts();
  } while (seconds() < until);
}

int main(int argc, char **argv) {
  int is_tcp = argc == 4 && strcmp(argv[1], "tcp") == 0;
  if (!is_tcp && !(argc == 5 && strcmp(argv[1], "udp") == 0)) {
    fprintf(stderr, "usage: %s tcp SECONDS WARM-UP | udp BYTES SECONDS WARM-UP\n", argv[0]);
    return 2;
  }
  unsigned int bytes = is_tcp ? 0 : (unsigned int)atoi(argv[2]);
  double measured = atof(argv[argc - 2]), warm_up = atof(argv[argc - 1]);
  if (bytes > 1472) fail("a datagram must fit into a frame");
  load(&alpha);
  load(&beta);
  start(&alpha, &beta, 1);
  start(&beta, &alpha, 2);
  struct tcp_pcb *tcp = is_tcp ? connect_tcp() : NULL;
  struct udp_pcb *udp = is_tcp ? NULL : connect_udp();
  run(tcp, udp, bytes, seconds() + warm_up);
  double from = seconds(), before = arrived;
  run(tcp, udp, bytes, from + measured);
  printf("%.0f\n", (arrived - before) / (seconds() - from) * (is_tcp ? 8 : 1));
  return 0;
}
