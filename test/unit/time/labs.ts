// Labs for the tests of time: what happens in them depends on many random numbers.
/** Alpha reaches beta over a router, on links that lose, double, damage and reorder frames. */
export const LOSSY_ROUTER = `
name: lossy
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.1.1/24', 'route add default 10.0.1.254'] }
  router:
    stack: io-pkt-v4-hc
    interfaces: [en0, en1]
    startup: ['ifconfig en0 10.0.1.254/24', 'ifconfig en1 10.0.2.254/24', 'sysctl -w net.inet.ip.forwarding=1']
  beta:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: ['ifconfig en0 10.0.2.1/24', 'route add default 10.0.2.254', 'httpd -p 80 &']
links:
  left: { between: [alpha:en0, router:en0], delay: 1ms, jitter: 0.3ms, loss: 2%, duplicate: 1%, reorder: 1%, corrupt: 1% }
  right: { between: [router:en1, beta:en0], rate: 20mbit, delay: 2ms, queue: 20 }
`;
