/*
 * Sends 60-byte frames from one interface as fast as it can and counts those that reach another, both of this network
 * namespace (packet(7)): sendmmsg(2) in batches on a packet socket, as packet generators do.
 *
 *   frames NEAR FAR DESTINATION SECONDS WARM-UP
 *
 * The frames are UDP over IPv4, 18 bytes of payload, from 198.18.1.2 to 198.18.2.2 (RFC 2544), to the hardware address
 * DESTINATION. The kernel counts what arrives: the receiving socket's buffer is full at once, so that nothing is copied.
 * Prints frames per second that arrived while they were counted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, FRAME = 60, IP = 14, UDP = 34, PAYLOAD = 18, BATCHES_PER_LOOK = 16 };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void hardware_address(int fd, const char *interface, unsigned char address[ETH_ALEN]) {
  struct ifreq request = {0};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) fail(interface);
  memcpy(address, request.ifr_hwaddr.sa_data, ETH_ALEN);
}

/* A packet socket on one interface. It takes nothing in until it is told which frames it shall see. */
static int packet_socket(const char *interface) {
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) fail("packet socket");
  struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
  if (at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0) fail(interface);
  return fd;
}

/* Counts the UDP packets that come in, and only those. */
static void count_udp(int fd, const char *interface) {
  struct sock_filter udp[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP + 9),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog program = {.len = sizeof udp / sizeof udp[0], .filter = udp};
  int least = 0, outgoing = 1;
  struct sockaddr_ll at = {.sll_family = AF_PACKET,
                           .sll_protocol = htons(ETH_P_IP),
                           .sll_ifindex = (int)if_nametoindex(interface)};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) fail("filter");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least) != 0) fail("receive buffer");
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &outgoing, sizeof outgoing) != 0) fail("incoming");
  if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0) fail(interface);
}

/* How many have come in since this was last asked. */
static unsigned int counted(int fd) {
  struct tpacket_stats stats;
  socklen_t length = sizeof stats;
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0) fail("statistics");
  return stats.tp_packets;
}

static void put16(unsigned char *at, unsigned int value) {
  at[0] = (unsigned char)(value >> 8);
  at[1] = (unsigned char)value;
}

static void make_frame(unsigned char *frame, const unsigned char *to, const unsigned char *from) {
  memset(frame, 0, FRAME);
  memcpy(frame, to, ETH_ALEN);
  memcpy(frame + ETH_ALEN, from, ETH_ALEN);
  put16(frame + 12, ETH_P_IP);
  unsigned char *ip = frame + IP;
  ip[0] = 0x45;
  put16(ip + 2, FRAME - IP);
  ip[8] = 64;
  ip[9] = IPPROTO_UDP;
  memcpy(ip + 12, (unsigned char[]){198, 18, 1, 2, 198, 18, 2, 2}, 8);
  unsigned int sum = 0;
  for (int i = 0; i < 20; i += 2) sum += (unsigned int)(ip[i] << 8 | ip[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  put16(ip + 10, ~sum);
  unsigned char *udp = frame + UDP;
  put16(udp, 5001);
  put16(udp + 2, 5001);
  put16(udp + 4, 8 + PAYLOAD);
}

static void send_batches(int fd, struct mmsghdr *batch, double until) {
  do {
    for (int i = 0; i < BATCHES_PER_LOOK; i++) {
      if (sendmmsg(fd, batch, BATCH, 0) < 0 && errno != ENOBUFS && errno != EAGAIN) fail("sendmmsg");
    }
  } while (seconds() < until);
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: %s NEAR FAR DESTINATION SECONDS WARM-UP\n", argv[0]);
    return 2;
  }
  unsigned char to[ETH_ALEN], near_address[ETH_ALEN], far_address[ETH_ALEN];
  if (sscanf(argv[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", to, to + 1, to + 2, to + 3, to + 4, to + 5) != 6) {
    fprintf(stderr, "%s is no hardware address\n", argv[3]);
    return 2;
  }
  double measured = atof(argv[4]), warm_up = atof(argv[5]);
  int near_end = packet_socket(argv[1]), far_end = packet_socket(argv[2]);
  hardware_address(near_end, argv[1], near_address);
  hardware_address(far_end, argv[2], far_address);

  unsigned char frame[FRAME], back[FRAME];
  make_frame(back, near_address, far_address);
  make_frame(frame, to, near_address);
  struct iovec part = {.iov_base = frame, .iov_len = FRAME};
  struct mmsghdr batch[BATCH] = {0};
  for (int i = 0; i < BATCH; i++) batch[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};

  count_udp(far_end, argv[2]);
  send_batches(near_end, batch, seconds() + warm_up);
  /* One frame the other way: a bridge learns where the far end is. */
  if (send(far_end, back, FRAME, 0) != FRAME) fail("send");
  counted(far_end);
  double from = seconds();
  send_batches(near_end, batch, from + measured);
  unsigned int frames = counted(far_end);
  printf("%.0f\n", (double)frames / (seconds() - from));
  return 0;
}
