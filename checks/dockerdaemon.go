//go:build linux && !ringfence_portable

package checks

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/snapshot"
)

// dockerSettings are those of daemon.json that protect containers; nil is the default.
type dockerSettings struct {
	ICC             *bool    `json:"icc"`
	NoNewPrivileges *bool    `json:"no-new-privileges"`
	UsernsRemap     string   `json:"userns-remap"`
	Seccomp         string   `json:"seccomp-profile"`
	IPTables        *bool    `json:"iptables"`
	Insecure        []string `json:"insecure-registries"`
	Plugins         []string `json:"authorization-plugins"`
}

// maxRegistries bounds the registries that are kept.
const maxRegistries = 200

// dockerDaemons reads how the daemons of the host protect containers. Each sees its own file, as it was when it started.
func (s *Scan) dockerDaemons(sec *snapshot.Runtimes) {
	read := present("processes")
	procs, err := s.processes()
	if err != nil {
		read = toFact("", err)
	}
	for _, p := range procs {
		if p.exeBase() != "dockerd" || p.Leader != 0 || p.Container != "" {
			continue
		}
		d, set := s.dockerDaemon(p)
		sec.Daemons = append(sec.Daemons, d)
		for _, host := range append(set.Insecure, optionValues(p.argv, "--insecure-registry")...) {
			addRegistry(sec, "docker", d.File, host)
		}
	}
	sec.DaemonsRead = &read
}

func (s *Scan) dockerDaemon(p *process) (snapshot.DockerDaemon, dockerSettings) {
	d := snapshot.DockerDaemon{PID: p.PID, UID: p.UID, File: "/etc/docker/daemon.json", Read: present("arguments"), ICC: true, IPTables: true}
	if v := argument(p.argv, "--config-file"); v != "" {
		d.File = v
	}
	var set dockerSettings
	b, err := s.readAtStart(p, d.File)
	switch {
	case gone(err):
	case err != nil:
		d.Read = toFact("", err)
	case json.Unmarshal(b, &set) != nil:
		d.Read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("%s: %v", d.File, errMalformed)}
		set = dockerSettings{}
	default:
		d.Read = present("%s", d.File)
	}
	if p.cut {
		d.Read = snapshot.Fact{State: snapshot.Error, Reason: "it has more arguments than are read"}
	}
	flag := func(file *bool, name string, otherwise bool) bool {
		for _, a := range p.argv {
			if v, given := strings.CutPrefix(a, name+"="); given {
				if on, err := strconv.ParseBool(v); err == nil {
					return on
				}
			} else if a == name {
				return true
			}
		}
		if file != nil {
			return *file
		}
		return otherwise
	}
	text := func(file, name string) string {
		if v := argument(p.argv, name); v != "" {
			return v
		}
		return file
	}
	d.ICC = flag(set.ICC, "--icc", true)
	d.IPTables = flag(set.IPTables, "--iptables", true)
	d.NoNewPrivileges = flag(set.NoNewPrivileges, "--no-new-privileges", false)
	d.UsernsRemap = text(set.UsernsRemap, "--userns-remap")
	d.Plugins = append(set.Plugins, optionValues(p.argv, "--authorization-plugin")...)
	d.Seccomp = text(set.Seccomp, "--seccomp-profile")
	return d, set
}

// hostName is what a registry can be called; what is none is not kept.
var hostName = lazily(`^[A-Za-z0-9.\-:\[\]/_*]{1,200}$`)

// addRegistry notes a registry that is not on this host itself.
func addRegistry(sec *snapshot.Runtimes, runtime, file, name string) {
	name = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(name), "http://"), "https://")
	host := strings.SplitN(name, "/", 2)[0]
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	net, nerr := netip.ParsePrefix(name)
	local := host == "localhost" || err == nil && ip.IsLoopback() || nerr == nil && net.Addr().IsLoopback()
	r := snapshot.InsecureRegistry{Host: name, Runtime: runtime, File: file}
	if !local && hostName.MatchString(name) && len(sec.Registries) < maxRegistries && !slices.Contains(sec.Registries, r) {
		sec.Registries = append(sec.Registries, r)
	}
}

// insecureRegistries reads the files of containerd (hosts.toml), Podman and CRI-O (containers-registries.conf(5)) and k3s (registries.yaml).
func (s *Scan) insecureRegistries(sec *snapshot.Runtimes) {
	read := present("files")
	each := func(pattern string, add func(file, text string) error) {
		files, more := s.Host.Glob(pattern)
		if more {
			read = snapshot.Fact{State: snapshot.Error, Reason: pattern + ": not every name was read"}
		}
		for _, file := range files {
			b, err := s.rootFile(file)
			if err == nil {
				err = add(file, string(b))
			}
			if err != nil && !gone(err) {
				read = toFact("", fmt.Errorf("%s: %w", file, err))
			}
		}
	}
	for _, pattern := range []string{"/etc/containerd/certs.d/*/hosts.toml", "/etc/docker/certs.d/*/hosts.toml"} {
		each(pattern, func(file, text string) error {
			for _, host := range insecureHosts(text, path.Base(path.Dir(file))) {
				addRegistry(sec, "containerd", file, host)
			}
			return nil
		})
	}
	for _, pattern := range []string{"/etc/containers/registries.conf", "/etc/containers/registries.conf.d/*.conf"} {
		each(pattern, func(file, text string) error {
			for _, host := range insecureLocations(text) {
				addRegistry(sec, "podman", file, host)
			}
			return nil
		})
	}
	each("/etc/rancher/*/registries.yaml", func(file, text string) error {
		var f struct {
			Mirrors map[string]struct {
				Endpoint []string `json:"endpoint"`
			} `json:"mirrors"`
			Configs map[string]struct {
				TLS struct {
					Skip bool `json:"insecure_skip_verify"`
				} `json:"tls"`
			} `json:"configs"`
		}
		if len(text) > maxYAML || yaml.Unmarshal([]byte(text), &f) != nil {
			return errMalformed
		}
		for _, host := range sortedKeys(f.Configs) {
			if f.Configs[host].TLS.Skip {
				addRegistry(sec, "k3s", file, host)
			}
		}
		for _, name := range sortedKeys(f.Mirrors) {
			for _, e := range f.Mirrors[name].Endpoint {
				if strings.HasPrefix(e, "http://") {
					addRegistry(sec, "k3s", file, e)
				}
			}
		}
		return nil
	})
	sec.RegistriesRead = &read
}

var (
	tomlHost     = lazily(`^\s*\[host\."([^"]+)"\]`)
	tomlInsecure = lazily(`^\s*(insecure|skip_verify)\s*=\s*true\b`)
	tomlServer   = lazily(`^\s*server\s*=\s*"(http://[^"]+)"`)
	tomlLocation = lazily(`^\s*(location|prefix)\s*=\s*"([^"]+)"`)
)

// insecureHosts are the hosts of a file hosts.toml that are asked by http, or whose certificates are not looked at.
func insecureHosts(text, registry string) (list []string) {
	at := registry
	for line := range strings.Lines(text) {
		switch m := tomlHost.FindStringSubmatch(line); {
		case m != nil:
			at = m[1]
			if strings.HasPrefix(at, "http://") {
				list = append(list, at)
			}
		case tomlServer.MatchString(line):
			list = append(list, tomlServer.FindStringSubmatch(line)[1])
		case tomlInsecure.MatchString(line):
			list = append(list, at)
		}
	}
	return list
}

// insecureLocations are the registries and mirrors of a file registries.conf that are insecure, in either of its two forms.
func insecureLocations(text string) (list []string) {
	at, insecure := "", false
	end := func() {
		if insecure && at != "" {
			list = append(list, at)
		}
		at, insecure = "", false
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "[") {
			end()
		}
		if m := tomlLocation.FindStringSubmatch(line); m != nil && (at == "" || m[1] == "location") {
			at = m[2]
		}
		insecure = insecure || tomlInsecure.MatchString(line)
	}
	end()
	return append(list, tomlValues(text, "registries.insecure", "registries")...)
}
