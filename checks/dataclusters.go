//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
)

// kubectlAccess is of kubectl proxy, which acts with the credentials of who started it for whoever connects. The names of hosts that it accepts are what
// who connects writes into a request: they keep pages of browsers out, nobody else. Where port-forward leads is in the cluster.
func kubectlAccess(d *dataFiles) access {
	switch kubectlCommand(d.argv) {
	case "proxy": // below
	case "port-forward":
		return access{err: errors.New("it leads to a port in the cluster, and whether that asks is not known from here")}
	default:
		return access{err: errors.New("what it was started for is not known")}
	}
	a := access{login: dataNone, gives: "reads and writes in the cluster with the credentials of who started it", how: "kubectl proxy asks for nothing"}
	if hasFlag(d.argv, "--disable-filter") {
		return a
	}
	for flag, usual := range map[string]string{
		"--accept-paths": "^.*", "--reject-methods": "^$", "--reject-paths": "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach",
	} {
		if v := optionValues(d.argv, flag); len(v) > 0 && last(v) != usual {
			return access{err: errors.New("it asks for nothing, and what " + flag + " lets through was not worked out")}
		}
	}
	return a
}

// kubectlCommand is the word of a command line of kubectl by which it has a port, as far as that is no value of an option.
func kubectlCommand(argv []string) string {
	for i, a := range argv[min(1, len(argv)):] {
		switch {
		case a == "--":
			return ""
		case a != "proxy" && a != "port-forward":
		case strings.HasPrefix(argv[i], "-") && !strings.Contains(argv[i], "="):
			return ""
		default:
			return a
		}
	}
	return ""
}

// hclOf reads files of HCL or JSON, or directories of them, in their order: what stands later counts.
func (d *dataFiles) hclOf(places []string) (set map[string][]string, err error) {
	set = map[string][]string{}
	for _, place := range places {
		files := []string{place}
		if ext := path.Ext(place); ext != ".hcl" && ext != ".json" {
			in, more := d.s.globIn(d.p, path.Join(place, "*"))
			if more || len(in) > maxDataFiles {
				return nil, errManyFiles
			}
			if in = slices.DeleteFunc(in, func(f string) bool { return path.Ext(f) != ".hcl" && path.Ext(f) != ".json" }); len(in) > 0 {
				files = in
			}
		}
		slices.Sort(files)
		for _, f := range files {
			text, err := d.text(f)
			if err != nil {
				return nil, err
			}
			if err := readHCL(text, set); err != nil {
				return nil, errors.New(f + " is not of a form that is known")
			}
		}
	}
	return set, nil
}

// said is the last of the values of a setting, by any of its names.
func said(set map[string][]string, names ...string) (v string) {
	for _, n := range names {
		v = cmp.Or(v, last(set[n]))
	}
	return v
}

func saysYes(set map[string][]string, names ...string) bool { return isYes(said(set, names...)) }

// portOf is a port that is told, and the usual one if none is.
func portTold(told string, usual int) int {
	if n, err := strconv.Atoi(told); err == nil {
		return n
	}
	return usual
}

// nomadAccess reads acl and tls of Nomad's agents (nomadproject.io, configuration): without a list of access it takes jobs from whoever connects.
func nomadAccess(d *dataFiles) access {
	set, err := d.hclOf(optionValues(d.argv, "-config", "--config"))
	if err != nil {
		return access{err: err}
	}
	a := access{login: dataAsks, ports: []int{portTold(said(set, "ports.http"), 4646)}}
	if saysYes(set, "acl.enabled") || hasFlag(goFlags(d.argv), "--acl-enabled") || saysYes(set, "tls.http") && saysYes(set, "tls.verify_https_client") {
		return a
	}
	a.login, a.how, a.gives = dataNone, "acl is not enabled", "starts jobs, which run commands on the nodes of its cluster"
	return a
}

// consulAccess reads acl, tls and ports of Consul's agents (developer.hashicorp.com/consul, configuration). Without a list of access, or with one that
// allows what it does not name, everybody writes; with script checks a service that somebody registers runs commands.
func consulAccess(d *dataFiles) access {
	places := append(optionValues(d.argv, "-config-file", "--config-file"), optionValues(d.argv, "-config-dir", "--config-dir")...)
	set, err := d.hclOf(places)
	if err != nil {
		return access{err: err}
	}
	http := portTold(cmp.Or(last(optionValues(d.argv, "-http-port", "--http-port")), said(set, "ports.http")), 8500)
	https := portTold(cmp.Or(last(optionValues(d.argv, "-https-port", "--https-port")), said(set, "ports.https")), -1)
	a := access{login: dataAsks, ports: []int{http, https}}
	acl := saysYes(set, "acl.enabled") || said(set, "acl_datacenter", "primary_datacenter") != "" && set["acl_default_policy"] != nil
	if acl && said(set, "acl.default_policy", "acl_default_policy") == "deny" {
		return a
	}
	if http < 0 && saysYes(set, "tls.https.verify_incoming", "tls.defaults.verify_incoming", "verify_incoming_https", "verify_incoming") {
		return a
	}
	a.login, a.how, a.gives = dataNone, "no access list denies what it does not name", "reads and writes its store, and what it tells of services"
	switch {
	case set["http_config.allow_write_http_from"] != nil:
		a.gives = "reads its store and what it tells of services"
	case saysYes(set, "enable_script_checks") || hasFlag(d.argv, "-enable-script-checks") || hasFlag(d.argv, "--enable-script-checks"):
		a.gives = "runs commands as its account by checks of services, and writes its store"
	}
	return a
}

// vaultAccess is of Vault and OpenBao: a server wants a token for all that it keeps; an agent or proxy that puts its own token into requests does not.
func vaultAccess(d *dataFiles) access {
	a := access{login: dataAsks}
	if len(d.argv) < 2 || d.argv[1] == "server" {
		return a
	}
	set, err := d.hclOf(optionValues(d.argv, "-config", "--config"))
	if err != nil {
		return access{err: err}
	}
	if v := said(set, "api_proxy.use_auto_auth_token", "cache.use_auto_auth_token"); isYes(v) || v == "force" {
		a.login, a.how, a.gives = dataNone, "use_auto_auth_token of its "+d.argv[1], "reads and writes secrets with the token that it got for itself"
	}
	return a
}
