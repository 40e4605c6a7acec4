package judge

import (
	"cmp"
	"strconv"

	"github.com/ringfence/ringfence/snapshot"
)

// ofGuest is what a guest gives: itself, and nothing of the host.
const ofGuest = "a guest"

// guestServices are the services by which guests are managed, by the port that they have in the guest.
var guestServices = map[string]string{
	"tcp 22": "SSH", "tcp 23": "telnet", "tcp 135": "RPC", "tcp 445": "SMB", "tcp 3389": "RDP", "udp 3389": "RDP", "tcp 5900": "VNC", "tcp 5985": "WinRM",
	"tcp 5986": "WinRM", "udp 623": "IPMI", "tcp 2375": "Docker", "tcp 2376": "Docker", "tcp 10250": "kubelet", "tcp 16509": "libvirt", "tcp 16514": "libvirt",
}

// servedAt is the port that tells what a socket is: that of the guest that its owner passes connections on to, else its own.
func servedAt(sk *snapshot.Socket) int { return cmp.Or(sk.GuestPort, sk.Port) }

// ofAGuest names a service that a guest may have after that, and says that no more than the guest is got by it.
func (d *DocService) ofAGuest(sk *snapshot.Socket) {
	if d.GuestPort = sk.GuestPort; d.GuestPort == 0 {
		return
	}
	if name := guestServices[sk.Proto+" "+strconv.Itoa(sk.GuestPort)]; name != "" {
		d.Owner = name + " of a guest of " + d.Owner
	}
	if d.Gives == rootOnHost {
		d.Gives, d.givesUID = ofGuest, inContainer
	}
}
