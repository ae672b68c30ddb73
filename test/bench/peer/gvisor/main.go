// Two stacks of gVisor's netstack in one process, joined by a pipe whose MTU is 1500: bulk TCP, or UDP datagrams, from one to
// the other.
//
//	gvisor tcp SECONDS WARM-UP          prints the bits per second that arrived
//	gvisor udp BYTES SECONDS WARM-UP    prints the datagrams per second that arrived
//
// Built against Debian's golang-gvisor-gvisor-dev. The stacks' own defaults hold: SACK, and buffers that grow by themselves.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

const (
	card  = 1
	mtu   = 1500
	port  = 5001
	chunk = 256 * 1024
)

var (
	near = tcpip.FullAddress{NIC: card, Addr: "\xc6\x12\x00\x01", Port: port}
	far  = tcpip.FullAddress{NIC: card, Addr: "\xc6\x12\x00\x02", Port: port}
)

func fail(what any) {
	fmt.Fprintf(os.Stderr, "gvisor: %v\n", what)
	os.Exit(1)
}

func start(link stack.LinkEndpoint, address tcpip.Address) *stack.Stack {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	if err := s.CreateNIC(card, link); err != nil {
		fail(err)
	}
	at := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: address.WithPrefix()}
	if err := s.AddProtocolAddress(card, at, stack.AddressProperties{}); err != nil {
		fail(err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: card}})
	return s
}

// bulk sends a stream and adds the bytes that arrive to arrived.
func bulk(alpha, beta *stack.Stack, arrived *atomic.Int64) {
	listener, err := gonet.ListenTCP(beta, far, ipv4.ProtocolNumber)
	if err != nil {
		fail(err)
	}
	go func() {
		conn, err := gonet.DialTCP(alpha, far, ipv4.ProtocolNumber)
		if err != nil {
			fail(err)
		}
		for data := make([]byte, chunk); ; {
			if _, err := conn.Write(data); err != nil {
				fail(err)
			}
		}
	}()
	conn, err := listener.Accept()
	if err != nil {
		fail(err)
	}
	count(conn, make([]byte, chunk), arrived, false)
}

// datagrams sends datagrams and adds how many arrive to arrived.
func datagrams(alpha, beta *stack.Stack, bytes int, arrived *atomic.Int64) {
	to, err := gonet.DialUDP(beta, &far, nil, ipv4.ProtocolNumber)
	if err != nil {
		fail(err)
	}
	go func() {
		from, err := gonet.DialUDP(alpha, &near, &far, ipv4.ProtocolNumber)
		if err != nil {
			fail(err)
		}
		for data := make([]byte, bytes); ; {
			// A full queue is no failure of a sender that goes as fast as it can.
			_, _ = from.Write(data)
		}
	}()
	count(to, make([]byte, bytes+1), arrived, true)
}

func count(from io.Reader, data []byte, arrived *atomic.Int64, packets bool) {
	for {
		n, err := from.Read(data)
		if err != nil {
			fail(err)
		}
		if packets {
			n = 1
		}
		arrived.Add(int64(n))
	}
}

func number(text string) float64 {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		fail(err)
	}
	return value
}

func main() {
	n := len(os.Args)
	isTCP := n == 4 && os.Args[1] == "tcp"
	if !isTCP && !(n == 5 && os.Args[1] == "udp") {
		fail("usage: gvisor tcp SECONDS WARM-UP | udp BYTES SECONDS WARM-UP")
	}
	measured, warmUp := number(os.Args[n-2]), number(os.Args[n-1])
	nearEnd, farEnd := pipe.New("\x02\x00\x00\x00\x00\x01", "\x02\x00\x00\x00\x00\x02", mtu)
	alpha, beta := start(nearEnd, near.Addr), start(farEnd, far.Addr)
	var arrived atomic.Int64
	scale := 1.0
	if isTCP {
		scale = 8
		go bulk(alpha, beta, &arrived)
	} else {
		go datagrams(alpha, beta, int(number(os.Args[2])), &arrived)
	}
	time.Sleep(time.Duration(warmUp * float64(time.Second)))
	before, from := arrived.Load(), time.Now()
	time.Sleep(time.Duration(measured * float64(time.Second)))
	fmt.Printf("%.0f\n", float64(arrived.Load()-before)/time.Since(from).Seconds()*scale)
}
