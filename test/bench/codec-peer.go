// The netlink codec of github.com/vishvananda/netlink, which the reference plugins use, as codec.ts is compared with
// it. Arguments and output are those of codec-peer.c.
package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	_ "unsafe"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const samples, encodes = 100, 2000

// Not exported, and the only way to a route without asking the kernel.
//
//go:linkname deserializeRoute github.com/vishvananda/netlink.deserializeRoute
func deserializeRoute(message []byte) (netlink.Route, error)

var response [131072]byte
var sink int

func parse(dump []byte, links bool) {
	for at := 0; at < len(dump); {
		length := int(binary.LittleEndian.Uint32(dump[at:]))
		copy(response[:], dump[at+4:at+4+length])
		at += 4 + length
		messages, err := syscall.ParseNetlinkMessage(response[:length])
		if err != nil {
			panic(err)
		}
		for _, message := range messages {
			switch {
			case links && message.Header.Type == unix.RTM_NEWLINK:
				header := unix.NlMsghdr(message.Header)
				link, err := netlink.LinkDeserialize(&header, message.Data)
				if err != nil {
					panic(err)
				}
				sink += link.Attrs().Index
			case !links && message.Header.Type == unix.RTM_NEWROUTE:
				route, err := deserializeRoute(message.Data)
				if err != nil {
					panic(err)
				}
				sink += route.LinkIndex
			}
		}
	}
}

// What LinkAdd, AddrAdd and RouteAdd put together before they send it.
func encode(index uint32, address, gateway net.IP) {
	request := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	request.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	request.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated("eth0")))
	request.AddData(nl.NewRtAttr(unix.IFLA_LINK, nl.Uint32Attr(index)))
	request.AddData(nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(index)))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("ipvlan"))
	info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(nl.IFLA_IPVLAN_MODE, nl.Uint16Attr(0))
	request.AddData(info)
	sink += len(request.Serialize())

	request = nl.NewNetlinkRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	header := nl.NewIfAddrmsg(nl.FAMILY_V4)
	header.Index, header.Prefixlen = index, 24
	request.AddData(header)
	request.AddData(nl.NewRtAttr(unix.IFA_LOCAL, address.To4()))
	request.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, address.To4()))
	request.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, address.To4()))
	sink += len(request.Serialize())

	request = nl.NewNetlinkRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_ACK)
	message := nl.NewRtMsg()
	message.Family = unix.AF_INET
	request.AddData(message)
	request.AddData(nl.NewRtAttr(unix.RTA_GATEWAY, gateway.To4()))
	request.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(index)))
	sink += len(request.Serialize())
}

func main() {
	var dump []byte
	if len(os.Args) == 3 {
		var err error
		if dump, err = os.ReadFile(os.Args[2]); err != nil {
			panic(err)
		}
	}
	for sample := -5; sample < samples; sample++ {
		start := time.Now()
		repeats := 1
		if dump != nil {
			parse(dump, os.Args[1] == "links")
		} else {
			repeats = encodes
			for index := 0; index < encodes; index++ {
				encode(uint32(index), net.IPv4(10, 0, 0, byte(index)), net.IPv4(10, 0, 0, 1))
			}
		}
		if sample >= 0 {
			fmt.Printf("%.1f\n", float64(time.Since(start).Nanoseconds())/float64(repeats))
		}
	}
}
