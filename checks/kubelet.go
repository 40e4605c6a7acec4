//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/snapshot"
)

// kubeletSettings are those that decide who gets in, and where.
type kubeletSettings struct{ port, anonymous, mode, readOnly string }

// Defaults of a kubelet: of its flags (kubelet --help), of a file (KubeletConfiguration v1beta1), and of the one inside of k3s, which it is
// told by k3s.
var (
	kubeletByFlags = kubeletSettings{"10250", "true", "AlwaysAllow", "10255"}
	kubeletByFile  = kubeletSettings{"10250", "false", "Webhook", "0"}
	kubeletOfK3s   = kubeletByFile
)

// take reads them from a text of a KubeletConfiguration.
func (k *kubeletSettings) take(text []byte) error {
	var m map[string]any
	if len(text) > maxYAML || yaml.Unmarshal(text, &m) != nil {
		return errMalformed
	}
	for _, v := range []struct {
		at  []string
		dst *string
	}{
		{[]string{"port"}, &k.port},
		{[]string{"authentication", "anonymous", "enabled"}, &k.anonymous},
		{[]string{"authorization", "mode"}, &k.mode},
		{[]string{"readOnlyPort"}, &k.readOnly},
	} {
		if x := valueAt(m, v.at...); x != nil {
			*v.dst = fmt.Sprint(x)
		}
	}
	return nil
}

// maxDropins bounds the files of one --config-dir.
const maxDropins = 256

// kubeletTold reads what a kubelet is told by its flags, before them the files of --config-dir in the order of their names, before those its file.
// Flags have other defaults than a file has; files of --config-dir change none. k are the defaults, and written are files that the program itself writes when
// it starts. What is not known is empty if err says why.
func (s *Scan) kubeletTold(p *process, argv []string, k kubeletSettings, written ...string) (told kubeletSettings, source string, err error) {
	source = "arguments"
	if file := argument(argv, "--config"); file != "" {
		source, k = file, kubeletByFile
		b, rerr := s.readAtStart(p, file)
		if rerr == nil {
			rerr = k.take(b)
		}
		if rerr != nil {
			err, k = fmt.Errorf("%s: %w", file, cause(rerr)), kubeletSettings{port: k.port}
		}
	}
	if dir := argument(argv, "--config-dir"); dir != "" {
		if source == "arguments" {
			source = dir
		}
		if derr := s.kubeletDropins(p, dir, &k, written); derr != nil {
			err, k = derr, kubeletSettings{port: k.port}
		}
	}
	if p.cut {
		err, k = errCutArgs, kubeletSettings{port: k.port}
	}
	for flag, dst := range map[string]*string{
		"--port": &k.port, "--anonymous-auth": &k.anonymous, "--authorization-mode": &k.mode, "--read-only-port": &k.readOnly,
	} {
		if list := optionValues(argv, flag); len(list) > 0 {
			*dst = list[len(list)-1]
		} else if flag == "--anonymous-auth" && hasFlag(argv, flag) {
			*dst = "true"
		}
	}
	return k, source, err
}

// kubeletOf is the interface of a kubelet that is told so.
func (s *Scan) kubeletOf(p *process, argv []string, k kubeletSettings, written ...string) daemonAPI {
	k, source, err := s.kubeletTold(p, argv, k, written...)
	d := daemonAPI{source: source, err: err, addrs: []string{":" + k.port}}
	switch {
	case k.anonymous == "false", k.mode != "" && k.mode != "AlwaysAllow":
		d.verify = "true"
	case k.anonymous == "true" && k.mode == "AlwaysAllow":
		d.verify = "false"
	}
	return d.unlessCut(p)
}

// facts are the settings as they are judged; of what is not known, why.
func (k *kubeletSettings) facts(err error) map[string]snapshot.Fact {
	facts := map[string]snapshot.Fact{}
	for name, v := range map[string]string{"anonymous": k.anonymous, "authorization": k.mode, "readOnlyPort": k.readOnly, "port": k.port} {
		facts[name] = present("%s", v)
		if v == "" {
			maps.Copy(facts, unreadSettings(err, name))
		}
	}
	return facts
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
	return s.kubeletOf(p, p.argv, kubeletByFlags)
}

// k3sAPI is that of the kubelet inside of k3s.
func (s *Scan) k3sAPI(p *process) []daemonAPI {
	c, ok := s.k3s(p)
	if !ok || c.kubelet == nil {
		return nil
	}
	d := s.kubeletOf(p, c.kubelet, kubeletOfK3s, k3sWrites...)
	if c.err != nil {
		d.err, d.verify = cmp.Or(d.err, c.err), ""
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
