//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/snapshot"
)

// Kubernetes in one process: k3s (docs.k3s.io) and the kubelite of MicroK8s start the kubelet and the API server inside of themselves, with
// arguments of their own.

// clusterInOne is what such a process starts its servers with; nil is one that it does not start.
type clusterInOne struct {
	kubelet, apiServer []string
	err                error // not all of it was read
}

// clustersInOne are the programs, by the name of their file.
var clustersInOne = map[string]func(*Scan, *process) (clusterInOne, bool){"k3s": (*Scan).k3s, "kubelite": (*Scan).kubelite}

// k3sWrites are files of kubelet.conf.d that k3s writes when it starts.
var k3sWrites = []string{"00-k3s-defaults.conf", "10-cli-config", "20-cli-config"}

// k3s reads what k3s gives its kubelet and its API server: by kubelet-arg and kube-apiserver-arg on the command line, in config.yaml or the files of
// config.yaml.d, or by files in its directory (k3s server --help). Unless it is told otherwise both ask for certificates and by whom they are asked.
func (s *Scan) k3s(p *process) (c clusterInOne, ok bool) {
	args := p.argv
	if len(args) == 1 {
		args = strings.Fields(args[0])
	}
	if len(args) < 2 || args[1] != "server" && args[1] != "agent" {
		return c, false
	}
	file := "/etc/rancher/k3s/config.yaml"
	if v := append(optionValues(args, "--config", "-c"), ""); v[0] != "" {
		file = v[0]
	}
	told, data := s.k3sFiles(p, file, &c), "/var/lib/rancher/k3s"
	if told["data-dir"] != nil {
		data = last(told["data-dir"])
	}
	for _, v := range optionValues(args, "--data-dir", "-d") {
		data = v
	}
	flags := func(name string) (list []string) {
		for _, v := range append(told[name], optionValues(args, "--"+name)...) {
			list = append(list, "--"+strings.TrimLeft(v, "-"))
		}
		return list
	}
	if args[1] == "agent" || !hasFlag(args, "--disable-agent") {
		// Files that are named are copied to where it looks anyway, under names of its own.
		own := slices.DeleteFunc(flags("kubelet-arg"), func(a string) bool { return strings.HasPrefix(a, "--config=") || strings.HasPrefix(a, "--config-dir=") })
		c.kubelet = append(append([]string{"kubelet"}, own...), "--config-dir="+path.Join(data, "agent/etc/kubelet.conf.d"))
	}
	if args[1] == "server" && !hasFlag(args, "--disable-apiserver") {
		c.apiServer = []string{"kube-apiserver", "--authorization-mode=Node,RBAC", "--anonymous-auth=false", "--enable-admission-plugins=NodeRestriction"}
		if hasFlag(args, "--secrets-encryption") || slices.Contains(told["secrets-encryption"], "true") {
			c.apiServer = append(c.apiServer, "--encryption-provider-config="+path.Join(data, "server/cred/encryption-config.json"))
		}
		for _, a := range flags("kube-apiserver-arg") { // what is given takes the place of its own
			name, _, _ := strings.Cut(a, "=")
			c.apiServer = append(slices.DeleteFunc(c.apiServer, func(own string) bool { return strings.HasPrefix(own, name+"=") }), a)
		}
	}
	return c, true
}

// k3sFiles reads the options in a file of k3s and in the directory beside it, each name with its values.
func (s *Scan) k3sFiles(p *process, file string, c *clusterInOne) map[string][]string {
	told := map[string][]string{}
	names, more := s.globIn(p, file+".d/*")
	if more {
		c.err = fmt.Errorf("%s.d: not every file was read", file)
	}
	for _, name := range append([]string{file}, names...) {
		if ext := path.Ext(name); ext != ".yaml" && ext != ".yml" {
			continue
		}
		b, err := s.readAtStart(p, name)
		var m map[string]any
		switch {
		case gone(err):
			continue
		case err == nil && (len(b) > maxYAML || yaml.Unmarshal(b, &m) != nil):
			err = errMalformed
		}
		if err != nil {
			c.err = fmt.Errorf("%s: %w", name, cause(err))
			continue
		}
		for _, key := range []string{"kubelet-arg", "kube-apiserver-arg", "data-dir", "secrets-encryption"} {
			for _, at := range []string{key, key + "+"} {
				v := valueAt(m, at)
				if on, ok := v.(bool); ok {
					v = fmt.Sprint(on)
				}
				told[key] = append(told[key], texts(v)...)
			}
		}
	}
	return told
}

// kubelite reads the files of arguments of MicroK8s, one argument a line (microk8s.io, configuring services). Their variables are those of the snap.
func (s *Scan) kubelite(p *process) (c clusterInOne, ok bool) {
	take := func(option, program string) []string {
		file := argument(p.argv, option)
		if file == "" {
			return nil
		}
		b, err := s.readAtStart(p, file)
		if err != nil {
			c.err = fmt.Errorf("%s: %w", file, cause(err))
			return []string{program}
		}
		env, _ := s.environ(p) // a variable that is not known stays as it is, and names no file
		argv := []string{program}
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' && len(argv) < maxArgFile {
				line = os.Expand(line, func(name string) string { return cmp.Or(env[name], "$"+name) })
				key, value, given := strings.Cut(line, "=")
				if argv = append(argv, key); given {
					argv[len(argv)-1] = key + "=" + strings.Trim(value, `"'`)
				}
			}
		}
		return argv
	}
	c.kubelet = take("--kubelet-args-file", "kubelet")
	if v := argument(p.argv, "--start-control-plane"); v != "false" {
		c.apiServer = take("--apiserver-args-file", "kube-apiserver")
	}
	return c, true
}

// maxArgFile bounds the arguments of a file.
const maxArgFile = 512

// kubeliteAPI is that of the kubelet inside of MicroK8s.
func (s *Scan) kubeliteAPI(p *process) []daemonAPI {
	c, _ := s.kubelite(p)
	if c.kubelet == nil {
		return nil
	}
	d := s.kubeletOf(p, c.kubelet, kubeletByFlags)
	if c.err != nil {
		d.err, d.verify = c.err, ""
	}
	return []daemonAPI{d}
}

// inOne are the servers inside of such a process, with what of their configuration is judged.
func (s *Scan) inOne(p *process) (list []snapshot.ManagedServer) {
	read := clustersInOne[p.exeBase()]
	if read == nil {
		return nil
	}
	c, ok := read(s, p)
	if !ok {
		return nil
	}
	add := func(name string, settings map[string]snapshot.Fact) {
		if c.err != nil {
			settings = unreadSettings(c.err, sortedKeys(settings)...)
		}
		list = append(list, snapshot.ManagedServer{
			PID: p.PID, Unit: p.Unit, Container: p.Container, Word: p.ExeWord, Name: name, Role: snapshot.RoleCluster,
			Evidence: "it is a part of the program " + p.exeBase(), Settings: settings,
		})
	}
	if c.kubelet != nil {
		k, written := kubeletByFlags, []string(nil)
		if p.exeBase() == "k3s" {
			k, written = kubeletOfK3s, k3sWrites
		}
		k, _, err := s.kubeletTold(p, c.kubelet, k, written...)
		add("kubelet", k.facts(err))
	}
	if c.apiServer != nil {
		q := *p
		q.argv = c.apiServer
		add("kube-apiserver", apiServerSettings(s, &q))
	}
	return list
}
