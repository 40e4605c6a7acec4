package judge

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// DocMetadata is the metadata service of the cloud that the host is a machine of, and which workloads the host lets through to it. Whether the service
// itself answers them (IMDSv2 and its hop limit) is set in the cloud, and is not seen here.
type DocMetadata struct {
	State  string           `json:"state"`  // of the fact: absent where the host shows no cloud
	Reason string           `json:"reason"` // why it is not known whose machine the host is
	Cloud  string           `json:"cloud"`  // aws, gcp, azure, ...; "" unless the state is present
	Ways   []DocMetadataWay `json:"ways"`   // to TCP port 80 of each address of the service
}

// DocMetadataWay is what becomes of packets from a network of workloads to an address of the service.
type DocMetadataWay struct {
	From    string   `json:"from"`    // the interface, or the host's own network namespace
	Address string   `json:"address"` // of the service: 169.254.169.254, fd00:ec2::254 (aws), fd20:ce::254 (gcp)
	Family  string   `json:"family"`  // ipv4, ipv6
	Reach   DocReach `json:"reach"`   // what becomes of the packets
}

// metadataAddresses are those of the service: the link-local one that all have, and those of IPv6 (docs.aws.amazon.com, docs.cloud.google.com).
func metadataAddresses(cloud string) []netip.Addr {
	list := []netip.Addr{netip.MustParseAddr("169.254.169.254")}
	if v6 := map[string]string{"aws": "fd00:ec2::254", "gcp": "fd20:ce::254"}[cloud]; v6 != "" {
		list = append(list, netip.MustParseAddr(v6))
	}
	return list
}

// ofTheHost is where workloads are that have the host's own network namespace.
const ofTheHost = "the host's own network namespace"

// metadata asks what workloads get to the metadata service of the cloud: from their networks, and from the host's own network namespace.
func (b *builder) metadata() {
	f := b.snap.System.Cloud
	d := DocMetadata{State: string(f.State), Reason: f.Reason, Cloud: f.Value, Ways: []DocMetadataWay{}}
	if f.State == "" { // an older snapshot
		d.State, d.Reason = string(snapshot.Error), "the snapshot does not say whether the host is a machine of a cloud"
	}
	if f.State == snapshot.Present {
		for _, at := range metadataAddresses(f.Value) {
			d.Ways = append(d.Ways, b.waysTo(at, "tcp", 80)...)
		}
	}
	b.doc.Metadata = d
}

// waysTo asks what workloads get to an address that is not the host's.
func (b *builder) waysTo(at netip.Addr, proto string, port int) (list []DocMetadataWay) {
	for i := range b.zones.Origins {
		o := &b.zones.Origins[i]
		if o.Zone != zones.Workload {
			continue
		}
		q, from := &reach.Question{
			From: []packet.Origin{o.Origin}, Proto: proto, Dport: port, To: reach.Target{Addr: at}, Through: true, Family: map[bool]int{true: 4, false: 6}[at.Is4()],
		}, o.Interface
		if o.Local {
			from, q.From = ofTheHost, b.localWorkloads(o, at, proto, port)
		}
		answer := b.asker.Ask(q)
		list = append(list, DocMetadataWay{From: from, Address: at.String(), Family: familyName[at.Is4()], Reach: b.reach(&answer, from)})
	}
	return list
}

// localWorkloads is an origin in the host's own network namespace, its processes told apart where rules ask who sends.
func (b *builder) localWorkloads(o *zones.Origin, to netip.Addr, proto string, port int) []packet.Origin {
	w := exposure.Words{From: zones.Workload, To: "addr:" + to.String(), Proto: proto, Dport: port}
	q, err := w.Question(b.snap, b.zones)
	if err != nil {
		return []packet.Origin{o.Origin}
	}
	return slices.DeleteFunc(q.From, func(o packet.Origin) bool { return !o.Local })
}
