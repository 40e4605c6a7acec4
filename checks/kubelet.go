//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// kubeletSettings are those that decide who gets in, and where.
type kubeletSettings struct{ port, anonymous, mode string }

// take reads them from a text of a KubeletConfiguration.
func (k *kubeletSettings) take(text []byte) error {
	var m map[string]any
	if len(text) > maxYAML || yaml.Unmarshal(text, &m) != nil {
		return errMalformed
	}
	for _, v := range []struct {
		at  []string
		dst *string
	}{{[]string{"port"}, &k.port}, {[]string{"authentication", "anonymous", "enabled"}, &k.anonymous}, {[]string{"authorization", "mode"}, &k.mode}} {
		if x := valueAt(m, v.at...); x != nil {
			*v.dst = fmt.Sprint(x)
		}
	}
	return nil
}

// maxDropins bounds the files of one --config-dir.
const maxDropins = 256

// kubeletOf reads what a kubelet is told by its flags, before them the files of --config-dir in the order of their names, before those its file
// (kubelet --help, KubeletConfiguration v1beta1). Flags have other defaults than a file has; files of --config-dir change none. written are files that the program itself writes
// when it starts.
func (s *Scan) kubeletOf(p *process, argv []string, k kubeletSettings, written ...string) daemonAPI {
	d := daemonAPI{source: "arguments"}
	if file := argument(argv, "--config"); file != "" {
		d.source, k.anonymous, k.mode = file, "false", "Webhook"
		b, err := s.readAtStart(p, file)
		if err == nil {
			err = k.take(b)
		}
		if err != nil {
			d.err, k.anonymous, k.mode = fmt.Errorf("%s: %w", file, cause(err)), "", ""
		}
	}
	if dir := argument(argv, "--config-dir"); dir != "" {
		if d.source == "arguments" {
			d.source = dir
		}
		if err := s.kubeletDropins(p, dir, &k, written); err != nil {
			d.err, k.anonymous, k.mode = err, "", ""
		}
	}
	for flag, dst := range map[string]*string{"--port": &k.port, "--anonymous-auth": &k.anonymous, "--authorization-mode": &k.mode} {
		if list := optionValues(argv, flag); len(list) > 0 {
			*dst = list[len(list)-1]
		}
	}
	d.addrs = []string{":" + k.port}
	switch {
	case k.anonymous == "false", k.mode != "" && k.mode != "AlwaysAllow":
		d.verify = "true"
	case k.anonymous == "true" && k.mode == "AlwaysAllow":
		d.verify = "false"
	}
	return d.unlessCut(p)
}

// kubeletDropins takes the files of a directory whose names end with .conf.
func (s *Scan) kubeletDropins(p *process, dir string, k *kubeletSettings, written []string) error {
	names, more := s.globIn(p, dir+"/*.conf")
	below, cut := s.globIn(p, dir+"/*/*.conf")
	names = append(names, below...)
	slices.Sort(names)
	if more || cut || len(names) > maxDropins {
		return fmt.Errorf("%s: not every file was read", dir)
	}
	for _, name := range names {
		read := s.readAtStart
		if slices.ContainsFunc(written, func(w string) bool { return strings.HasPrefix(strings.TrimPrefix(name, dir+"/"), w) }) {
			read = func(p *process, file string) ([]byte, error) {
				b, _, err := s.readNamed(p, file)
				return b, err
			}
		}
		b, err := read(p, name)
		if err == nil {
			err = k.take(b)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, cause(err))
		}
	}
	return nil
}

// kubeletAPI is that of a kubelet of its own process.
func (s *Scan) kubeletAPI(p *process) daemonAPI {
	return s.kubeletOf(p, p.argv, kubeletSettings{"10250", "true", "AlwaysAllow"})
}

// k3sAPI is that of the kubelet inside of k3s: it asks for certificates and the API server unless it is told otherwise, by kubelet-arg on the
// command line, in config.yaml or the files of config.yaml.d, or by files in its directory (k3s server --help; docs.k3s.io).
func (s *Scan) k3sAPI(p *process) []daemonAPI {
	args := p.argv
	if len(args) == 1 {
		args = strings.Fields(args[0])
	}
	if len(args) < 2 || args[1] != "server" && args[1] != "agent" || args[1] == "server" && slices.Contains(args, "--disable-agent") {
		return nil
	}
	file := "/etc/rancher/k3s/config.yaml"
	if v := append(optionValues(args, "--config", "-c"), ""); v[0] != "" {
		file = v[0]
	}
	argv, data, err := []string{"kubelet"}, "/var/lib/rancher/k3s", error(nil)
	names, more := s.globIn(p, file+".d/*")
	if more {
		err = fmt.Errorf("%s.d: not every file was read", file)
	}
	for _, name := range append([]string{file}, names...) {
		if base := path.Ext(name); base != ".yaml" && base != ".yml" {
			continue
		}
		b, rerr := s.readAtStart(p, name)
		var m map[string]any
		switch {
		case gone(rerr):
			continue
		case rerr == nil && (len(b) > maxYAML || yaml.Unmarshal(b, &m) != nil):
			rerr = errMalformed
		}
		if rerr != nil {
			err = fmt.Errorf("%s: %w", name, cause(rerr))
			continue
		}
		for _, key := range []string{"kubelet-arg", "kubelet-arg+"} {
			for _, v := range texts(valueAt(m, key)) {
				argv = append(argv, "--"+strings.TrimLeft(v, "-"))
			}
		}
		if v, ok := valueAt(m, "data-dir").(string); ok && path.IsAbs(v) {
			data = v
		}
	}
	for _, v := range optionValues(args, "--kubelet-arg") {
		argv = append(argv, "--"+strings.TrimLeft(v, "-"))
	}
	for _, v := range optionValues(args, "--data-dir", "-d") {
		data = v
	}
	if argument(argv, "--config") != "" || argument(argv, "--config-dir") != "" {
		// k3s copies them to where it looks anyway, under names of its own.
		argv = slices.DeleteFunc(argv, func(a string) bool { return strings.HasPrefix(a, "--config=") || strings.HasPrefix(a, "--config-dir=") })
	}
	argv = append(argv, "--config-dir="+path.Join(data, "agent/etc/kubelet.conf.d"))
	d := s.kubeletOf(p, argv, kubeletSettings{"10250", "false", "Webhook"}, "00-k3s-defaults.conf", "10-cli-config", "20-cli-config")
	if err != nil {
		if d.err == nil {
			d.err = err
		}
		d.verify = ""
	}
	if d.err == nil && d.verify == "" {
		d.err = errors.New("its settings are not known")
	}
	return []daemonAPI{d}
}

// texts are the texts of a list, or the one that stands for a list.
func texts(v any) (list []string) {
	switch x := v.(type) {
	case string:
		return []string{x}
	case []any:
		for _, e := range x {
			if t, ok := e.(string); ok {
				list = append(list, t)
			}
		}
	default: // none
	}
	return list
}
