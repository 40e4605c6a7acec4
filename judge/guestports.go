package judge

import (
	"slices"
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

// guestsAlone says of a socket that it leads to a guest and is nothing else: those who have it are emulators that root runs, from files of root's
// own. The options of anybody else's process are what that one likes: they add what a guest may serve, and take nothing away that the port makes.
func (b *builder) guestsAlone(sk *snapshot.Socket) bool {
	return sk.GuestPort != 0 && len(sk.Owners) > 0 && !slices.ContainsFunc(sk.Owners, func(o snapshot.Owner) bool {
		p := b.byPID[o.PID]
		return p == nil || !p.ExeWord.Trusted() || !installed.MatchString(p.Exe) || !b.rootsOwn(p.ExeWord, p)
	})
}

// classBoth is what a socket is by its own port, else by that of the guest that it leads to, which the service then has.
func (b *builder) classBoth(sk *snapshot.Socket, svc *DocService) string {
	if !b.guestsAlone(sk) {
		if class := b.classAt(sk, svc, sk.Port); class != "other" || sk.GuestPort == 0 {
			return class
		}
	}
	svc.GuestPort = sk.GuestPort
	return b.classAt(sk, svc, sk.GuestPort)
}

// guestBeside is what a guest may serve at a socket that is something else by its own port, nil if that is nothing.
func (b *builder) guestBeside(sk *snapshot.Socket, svc *DocService) *DocService {
	if sk.GuestPort == 0 || svc.GuestPort != 0 || svc.Class == "agent" {
		return nil
	}
	class := b.classAt(sk, svc, sk.GuestPort)
	if class == "other" || class == svc.Class {
		return nil
	}
	of := *svc
	of.Class, of.GuestPort = class, sk.GuestPort
	b.ofAGuest(sk, &of)
	of.name(sk)
	return &of
}

// ofAGuest names a service that a guest may have after that, and says that no more than the guest is got by it.
func (b *builder) ofAGuest(sk *snapshot.Socket, d *DocService) {
	if d.leads = sk.GuestPort; d.GuestPort == 0 {
		return
	}
	if name := guestServices[sk.Proto+" "+strconv.Itoa(sk.GuestPort)]; name != "" {
		d.Owner = name + " of a guest of " + d.Owner
	}
	if d.Gives == rootOnHost && (d.Class != "other" || b.guestsAlone(sk)) {
		d.Gives, d.givesUID = ofGuest, inContainer
	}
}
