//go:build linux && !ringfence_portable

package checks

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestInterfacesThatSystemdHolds: socket units and their drop-ins say where the interface of a runtime is on TCP, also while it does not run.
func TestInterfacesThatSystemdHolds(t *testing.T) {
	podman := map[string]string{
		"usr/lib/systemd/system/podman.socket":  "[Socket]\nListenStream=%t/podman/podman.sock\n",
		"usr/lib/systemd/system/podman.service": "[Service]\nExecStart=/usr/bin/podman system service\n",
	}
	docker := func(unit, socket, exec, json string) map[string]string {
		files := map[string]string{"etc/systemd/system/" + unit: "[Socket]\n" + socket, "usr/lib/systemd/system/docker.service": "[Service]\nExecStart=" + exec + "\n"}
		if json != "" {
			files["etc/docker/daemon.json"] = json
		}
		return files
	}
	with := func(files map[string]string, more ...string) map[string]string {
		all := map[string]string{}
		maps.Copy(all, files)
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	for name, c := range map[string]struct {
		files  map[string]string
		api    []string
		verify string
	}{
		"podman of a package":         {podman, nil, ""},
		"podman, a drop-in":           {with(podman, "etc/systemd/system/podman.socket.d/tcp.conf", "[Socket]\nListenStream=0.0.0.0:8888\nListenStream=192.0.2.1:9999\n"), []string{":8888", "192.0.2.1:9999"}, "false"},
		"podman, taken back":          {with(podman, "etc/systemd/system/podman.socket.d/tcp.conf", "[Socket]\nListenStream=8888\nListenStream=\nListenStream=/run/x.sock\n"), nil, ""},
		"docker, a port":              {docker("docker.socket", "ListenStream=2375\n", "/usr/bin/dockerd -H fd://", ""), []string{":2375"}, "false"},
		"docker, with certificates":   {docker("docker.socket", "ListenStream=[::]:2376\n", "/usr/bin/dockerd -H fd:// --tlsverify", ""), []string{":2376"}, "true"},
		"docker, with TLS alone":      {docker("docker.socket", "ListenStream=2376\n", "/usr/bin/dockerd -H fd:// --tls", ""), []string{":2376"}, ""},
		"docker, by its file":         {docker("docker.socket", "ListenStream=2376\n", "/usr/bin/dockerd -H fd://", `{"tlsverify": true}`), []string{":2376"}, "true"},
		"docker, a file that is none": {docker("docker.socket", "ListenStream=2376\n", "/usr/bin/dockerd -H fd://", `{"tls`), []string{":2376"}, ""},
		"docker, a unit of its own": {
			with(docker("docker-tcp.socket", "ListenStream=4243\nService=docker.service\n", "/usr/bin/dockerd -H fd://", ""), "etc/systemd/system/sockets.target.wants/docker-tcp.socket", ""),
			[]string{":4243"},
			"false",
		},
		"something else": {docker("docker.socket", "ListenStream=2375\n", "/usr/bin/true", ""), nil, ""},
	} {
		s, _ := hostOf(t, c.files)
		list := s.heldAPIs(new(Outcome))
		if len(c.api) == 0 {
			if len(list) != 0 {
				t.Errorf("%s: %+v", name, list)
			}
			continue
		}
		if len(list) != 1 || list[0].PID != 1 || !slices.Equal(list[0].API, c.api) || list[0].Verify.Value != c.verify || (c.verify == "") != (list[0].Verify.State != snapshot.Present) {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// TestHeldAPIsOfAUnitOfOthers: what a unit of a runtime says that others can write is not known, and that is told.
func TestHeldAPIsOfAUnitOfOthers(t *testing.T) {
	s, root := hostOf(t, map[string]string{"etc/systemd/system/docker.socket": "[Socket]\nListenStream=2375\n"})
	if err := os.Chmod(filepath.Join(root, "etc/systemd/system/docker.socket"), 0o666); err != nil {
		t.Fatal(err)
	}
	out := new(Outcome)
	if list := s.heldAPIs(out); len(list) != 0 || out.status != snapshot.Partial {
		t.Errorf("%+v, %+v", list, out)
	}
}
