package power_test

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// TestCredentialsOfClusters: who reads credentials of a cluster has a secret, and may be root by it; the checker refuses a no.
func TestCredentialsOfClusters(t *testing.T) {
	const at = "/etc/rancher/k3s/k3s.yaml"
	for name, principal := range map[string]power.State{"of the host": onHost(), "of a container": boxed(agent, 0)} {
		s := quiet()
		state := principal
		if state.Container != "" {
			s.Runtimes.Containers = append(s.Runtimes.Containers, snapshot.Container{
				ID: "c1", KernelFiles: &snapshot.KernelFiles{Read: snapshot.Fact{State: snapshot.Present}},
				Mounts: []snapshot.ContainerMount{{Source: "/etc/rancher", Dest: "/r"}},
			})
		}
		p := power.Principal{Key: "p", Name: "p", State: state}
		ask := func(goal power.Goal) power.Answer {
			list := power.New(s, nil).Ask(p)
			return list[slices.IndexFunc(list, func(a power.Answer) bool { return a.Goal == goal })]
		}
		before := ask(power.Root)
		f := file(at, snapshot.LeverSecret, root, snapshot.TriggerNone, snapshot.Permit{Who: snapshot.PermitAll, At: at})
		f.By = snapshot.ClusterCredentials
		s.Powers.Files = append(s.Powers.Files, f)
		if a := ask(power.Secret); a.Verdict != power.Yes {
			t.Errorf("%s: secret: %s", name, a.Verdict)
		}
		if a := ask(power.Root); before.Verdict != power.No || a.Verdict != power.Unknown {
			t.Errorf("%s: root: %s without, %s: %v", name, before.Verdict, a.Verdict, a.Because)
		}
		if err := power.Check(s, nil, &before); err == nil {
			t.Errorf("%s: a no without them is taken for one with them", name)
		}
	}
}
