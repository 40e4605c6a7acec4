//go:build linux && !ringfence_portable

package checks

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/snapshot"
)

// TestDockerSettings: arguments count with the file, and what neither says is the daemon's default.
func TestDockerSettings(t *testing.T) {
	for name, c := range map[string]struct {
		args, file string
		want       snapshot.DockerDaemon
	}{
		"defaults":  {"dockerd", "", snapshot.DockerDaemon{ICC: true, IPTables: true}},
		"arguments": {"dockerd --icc=false --iptables=false --no-new-privileges --userns-remap default --seccomp-profile=unconfined", "", snapshot.DockerDaemon{NoNewPrivileges: true, UsernsRemap: "default", Seccomp: "unconfined"}},
		"file": {"dockerd", `{"icc":false,"no-new-privileges":true,"userns-remap":"x","seccomp-profile":"/p.json","iptables":true}`, snapshot.DockerDaemon{
			NoNewPrivileges: true, UsernsRemap: "x", Seccomp: "/p.json", IPTables: true,
		}},
	} {
		files := map[string]string{"etc/": ""}
		if c.file != "" {
			files["etc/docker/daemon.json"] = c.file
		}
		s, _ := tree(t, files)
		p := &process{argv: strings.Fields(c.args)}
		d, _ := s.dockerDaemon(p)
		if d.Read.State != snapshot.Present {
			t.Errorf("%s: %+v", name, d.Read)
		}
		d.Read, d.File = snapshot.Fact{}, ""
		if diff := cmp.Diff(c.want, d); diff != "" {
			t.Errorf("%s: want -, got +\n%s", name, diff)
		}
	}
}

// TestInsecureRegistries reads the forms in which runtimes have them; what is on the host itself is no registry of elsewhere.
func TestInsecureRegistries(t *testing.T) {
	hosts := insecureHosts("server = \"https://docker.io\"\n[host.\"http://mirror:5000\"]\n  capabilities = [\"pull\"]\n[host.\"https://b\"]\n  skip_verify = true\n[host.\"https://c\"]\n", "docker.io")
	if d := cmp.Diff([]string{"http://mirror:5000", "https://b"}, hosts); d != "" {
		t.Errorf("hosts.toml: want -, got +\n%s", d)
	}
	locations := insecureLocations("unqualified-search-registries = [\"docker.io\"]\n[[registry]]\nprefix = \"a\"\nlocation = \"a.example:5000\"\ninsecure = true\n[[registry]]\nlocation = \"b\"\n[[registry.mirror]]\nlocation = \"m\"\ninsecure = true\n[registries.insecure]\nregistries = ['old:5000']\n")
	if d := cmp.Diff([]string{"a.example:5000", "m", "old:5000"}, locations); d != "" {
		t.Errorf("registries.conf: want -, got +\n%s", d)
	}
	sec := new(snapshot.Runtimes)
	for _, h := range []string{"127.0.0.0/8", "localhost:5000", "::1/128", "[::1]:5000", "registry:5000", "registry:5000", "10.0.0.0/8", "http://r/x", "a b"} {
		addRegistry(sec, "docker", "f", h)
	}
	var got []string
	for _, r := range sec.Registries {
		got = append(got, r.Host)
	}
	if d := cmp.Diff([]string{"registry:5000", "10.0.0.0/8", "r/x"}, got); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
}
