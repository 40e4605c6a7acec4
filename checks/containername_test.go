//go:build linux && !ringfence_portable

package checks

import "testing"

// TestContainersOfAClusterAreNamed: the name of a container is the same for the next pod of its template, and another one for another namespace or pod.
// The annotations are those that containerd 1.6 and CRI-O 1.30 write.
func TestContainersOfAClusterAreNamed(t *testing.T) {
	containerd := func(kind, pod, name string) map[string]string {
		return map[string]string{
			"io.kubernetes.cri.container-type": kind, "io.kubernetes.cri.sandbox-name": pod, "io.kubernetes.cri.sandbox-namespace": "web",
			"io.kubernetes.cri.container-name": name, "io.kubernetes.cri.sandbox-id": "5b2fc1910c24",
		}
	}
	crio := func(kind, pod, name string) map[string]string {
		return map[string]string{
			"io.kubernetes.cri-o.ContainerType": kind, "io.kubernetes.pod.name": pod, "io.kubernetes.pod.namespace": "web", "io.kubernetes.container.name": name,
		}
	}
	for want, list := range map[string][]map[string]string{
		"web/ringfence/audit": {containerd("container", "ringfence-jj8bx", "audit"), crio("container", "ringfence-2x9fz", "audit")},
		"web/shop/app":        {containerd("container", "shop-5d4f8c7b9-x2k4q", "app"), crio("container", "shop-7bd9c8d6f4-zzzzz", "app")},
		"web/nightly/run":     {containerd("container", "nightly-29405617-x2k4q", "run")},
		"web/db-0/postgres":   {containerd("container", "db-0", "postgres")},
		"web/shop/sandbox":    {containerd("sandbox", "shop-5d4f8c7b9-x2k4q", ""), crio("sandbox", "shop-5d4f8c7b9-x2k4q", "POD")},
		"web/my-proxy/app":    {containerd("container", "my-proxy", "app")},
		"box":                 {{"io.podman.annotations.name": "box"}, {"org.opencontainers.image.title": "box"}},
		"":                    {{}, {"io.kubernetes.cri.sandbox-name": "x", "io.kubernetes.cri.sandbox-namespace": "y"}},
		"audit":               {{"io.kubernetes.cri.container-name": "audit"}},
	} {
		for _, annotations := range list {
			if got := nameOf(annotations); got != want {
				t.Errorf("%v: %q, want %q", annotations, got, want)
			}
		}
	}
}
