//go:build linux && !ringfence_portable

package checks

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestServersThatActForOthersAsk: kubectl that passes on what it may do, Nomad, Consul, Vault and Salt by their files; what is not followed is unknown.
func TestServersThatActForOthersAsk(t *testing.T) {
	file := func(text string) map[string]string { return map[string]string{"c.hcl": text} }
	for name, c := range map[string]struct {
		files map[string]string
		argv  string
		want  string // "" is not known
		gives string
	}{
		"kubectl proxy":                  {nil, "kubectl proxy --address=0.0.0.0", dataNone, "writes in the cluster"},
		"kubectl, names of hosts":        {nil, "kubectl --context=a proxy --accept-hosts=^x$", dataNone, ""},
		"kubectl without its filter":     {nil, "kubectl proxy --disable-filter --reject-methods=POST", dataNone, ""},
		"kubectl, the filter stays":      {nil, "kubectl proxy --disable-filter=false --reject-methods=POST", "", ""},
		"kubectl, some paths":            {nil, "kubectl proxy --accept-paths ^/version$", "", ""},
		"kubectl, all paths":             {nil, "kubectl proxy --accept-paths ^.*", dataNone, ""},
		"kubectl port-forward":           {nil, "kubectl port-forward --address 0.0.0.0 pod/a 8080:80", "", ""},
		"kubectl, a namespace proxy":     {nil, "kubectl -n proxy port-forward svc/a 80", "", ""},
		"nomad of nothing":               {nil, "nomad agent", dataNone, "commands"},
		"nomad, dev":                     {nil, "nomad agent -dev", dataNone, ""},
		"nomad, a list of access":        {file("# acl { enabled = false }\nacl {\n  enabled = true\n}\n"), "nomad agent -config /c.hcl", dataAsks, ""},
		"nomad, an attribute":            {file("acl = { enabled = true }\n"), "nomad agent -config=/c.hcl", dataAsks, ""},
		"nomad, by its flag":             {nil, "nomad agent -acl-enabled", dataAsks, ""},
		"nomad, certificates":            {file("tls {\n http = true\n verify_https_client = true\n}\n"), "nomad agent -config /c.hcl", dataAsks, ""},
		"nomad, certificates of no port": {file("tls {\n verify_https_client = true\n}\n"), "nomad agent -config /c.hcl", dataNone, ""},
		"nomad, JSON":                    {map[string]string{"c.json": `{"ports": {"http": 4700}, "acl": [{"enabled": true}]}`}, "nomad agent -config /c.json", dataAsks, ""},
		"nomad, a directory":             {map[string]string{"d/a.hcl": "acl { enabled = true }\n", "d/b.hcl": "acl { enabled = false }\n", "d/x.bak": "acl { enabled = true }\n"}, "nomad agent -config /d", dataNone, ""},
		"nomad, no file":                 {nil, "nomad agent -config /c.hcl", "", ""},
		"nomad, a text that is not HCL":  {file("acl { enabled = true\n"), "nomad agent -config /c.hcl", "", ""},
		"nomad, a relative path":         {file(""), "nomad agent -config c.hcl", "", ""},
		"consul of nothing":              {nil, "consul agent -client 0.0.0.0", dataNone, "writes its store"},
		"consul, dev":                    {nil, "consul agent -dev", dataNone, ""},
		"consul, allow by default":       {file("acl {\n enabled = true\n default_policy = \"allow\"\n}\n"), "consul agent -config-file=/c.hcl", dataNone, ""},
		"consul, without a default":      {file("acl { enabled = true }\n"), "consul agent -config-file=/c.hcl", dataNone, ""},
		"consul, deny":                   {file("acl {\n enabled = true\n default_policy = \"deny\"\n tokens { agent = \"x\" }\n}\n"), "consul agent -config-file /c.hcl", dataAsks, ""},
		"consul, deny of a list off":     {file("acl {\n enabled = false\n default_policy = \"deny\"\n}\n"), "consul agent -config-file /c.hcl", dataNone, ""},
		"consul, script checks":          {file("enable_script_checks = true\n"), "consul agent -config-file /c.hcl", dataNone, "commands"},
		"consul, those of its files":     {file("enable_local_script_checks = true\n"), "consul agent -config-file /c.hcl", dataNone, "writes its store"},
		"consul, who writes":             {file("http_config { allow_write_http_from = [\"127.0.0.0/8\"] }\n"), "consul agent -config-file /c.hcl", dataNone, "reads its store"},
		"consul, certificates":           {file("ports { http = -1, https = 8501 }\ntls { defaults { verify_incoming = true } }\n"), "consul agent -config-file /c.hcl", dataAsks, ""},
		"consul, http beside them":       {file("ports { https = 8501 }\ntls { defaults { verify_incoming = true } }\n"), "consul agent -config-file /c.hcl", dataNone, ""},
		"consul, a directory":            {map[string]string{"d/a.json": `{"acl": {"enabled": true, "default_policy": "deny"}}`}, "consul agent -config-dir=/d", dataAsks, ""},
		"vault":                          {nil, "vault server -dev", dataAsks, ""},
		"vault agent":                    {file("cache {}\nlistener \"tcp\" {\n address = \"0.0.0.0:8100\"\n tls_disable = true\n}\n"), "vault agent -config=/c.hcl", dataAsks, ""},
		"vault agent, its own token":     {file("api_proxy {\n use_auto_auth_token = true\n}\n"), "vault proxy -config=/c.hcl", dataNone, "secrets"},
		"bao agent, by force":            {file("cache {\n use_auto_auth_token = \"force\"\n}\n"), "bao agent -config /c.hcl", dataNone, ""},
		"salt":                           {nil, "python3 /usr/bin/salt-master", dataAsks, ""},
		"salt, everybody":                {map[string]string{"etc/salt/master": "auto_accept: True\n"}, "python3 /usr/bin/salt-master -d", dataNone, "pillars"},
		"salt, off again":                {map[string]string{"etc/salt/master": "auto_accept: True\n", "etc/salt/master.d/a.conf": "auto_accept: False\n"}, "python3 /usr/bin/salt-master", dataAsks, ""},
		"salt, a file beside":            {map[string]string{"etc/salt/master.d/a.conf": "open_mode: yes\n"}, "/usr/bin/python3 /usr/bin/salt-master MainProcess", dataNone, ""},
		"salt, elsewhere":                {map[string]string{"s/master": "auto_accept: True\n"}, "python3 /usr/bin/salt-master -c /s", dataNone, ""},
		"salt, names in a file":          {map[string]string{"etc/salt/master": "autosign_file: /etc/salt/autosign.conf\n"}, "python3 /usr/bin/salt-master", "", ""},
		"salt, no YAML":                  {map[string]string{"etc/salt/master": "a: [\n"}, "python3 /usr/bin/salt-master", "", ""},
	} {
		m := settingsAt(t, c.files, strings.Fields(c.argv)...)
		if got := m["login"]; got.Value != c.want || (c.want == "") != (got.Reason != "") {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
		if !strings.Contains(m["gives"].Value, c.gives) {
			t.Errorf("%s: gives %q", name, m["gives"].Value)
		}
	}
}

// TestProgramsThatDoNotServe: clients of the same programs are no servers.
func TestProgramsThatDoNotServe(t *testing.T) {
	for line, want := range map[string]bool{
		"kubectl get pods -w": false, "kubectl proxy": true, "kubectl.1.33 proxy": true, "nomad job run a": false, "nomad agent": true, "consul members": false, "consul agent -dev": true,
		"vault kv get a": false, "vault server": true, "bao proxy -config /c": true, "bao": false, "cupsd -l": true,
	} {
		p := &process{argv: strings.Fields(line)}
		p.Exe = "/usr/bin/" + p.argv[0]
		if _, ok := managed(p); ok != want {
			t.Errorf("%s: %v", line, ok)
		}
	}
}

// TestWorkersOfSaltAreServers: the workers of a master hold its ports, not the first of its processes.
func TestWorkersOfSaltAreServers(t *testing.T) {
	proc := func(line string) *process {
		p := &process{argv: []string{line}}
		p.Exe = "/usr/bin/python3.11"
		return p
	}
	if works(proc("/usr/bin/python3 /usr/bin/salt-master ReqServer"), proc("/usr/bin/python3 /usr/bin/salt-master MainProcess")) {
		t.Error("a worker of Salt is not looked at")
	}
}

// TestWorkersOfSquidAreServers: the worker of Squid of Debian 12 holds its port; the first process has stepped down for a while (its real uid is 13).
func TestWorkersOfSquidAreServers(t *testing.T) {
	proc := func(argv ...string) *process {
		p := &process{argv: argv}
		p.Exe = "/usr/sbin/squid"
		return p
	}
	worker, first := proc("(squid-1)", "--kid", "squid-1", "--foreground", "-sYC"), proc()
	first.setID = true
	if v, ok := managed(worker); !ok || v.Name != "Squid" || works(worker, first) {
		t.Error("the worker of Squid is not looked at")
	}
	worker.PID = 77
	m, _ := scanWithProcess(t, map[string]string{"etc/squid/squid.conf": "http_access allow all\n"}).dataSettings(worker, "Squid")
	if m["login"].Value != dataNone {
		t.Errorf("the worker of Squid: %+v", m)
	}
}

// TestTextsOfHCL: blocks, attributes, lists, comments and JSON come to the same settings, and what is cut off or deeper than is read is an error.
func TestTextsOfHCL(t *testing.T) {
	for text, want := range map[string]map[string][]string{
		"a = 1 // x\nb { c = \"d}\" /* e = 2 */ }":      {"a": {"1"}, "b.c": {"d}"}},
		"l \"tcp\" {\n p = -1\n}\nl \"unix\" { p = 2 }": {"l.p": {"-1", "2"}},
		"x = [\"a\", # c\n \"b\",\n]\ny = []":           {"x": {"a", "b"}, "y": {}},
		`{"a": {"b": true, "c": [{"d": "\"e"}]}}`:       {"a.b": {"true"}, "a.c": {}, "a.c.d": {`"e`}},
		"": {},
	} {
		got := map[string][]string{}
		if err := readHCL(text, got); err != nil || !maps.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"a {", "a = ", "a = \"b", "a = <<EOF\nx\nEOF\n", "/* a", "}", "a = 1 }", "a ] 2", strings.Repeat("a {", 40) + strings.Repeat("}", 40), strings.Repeat("a = 1\n", maxHCLTokens)} {
		if err := readHCL(text, map[string][]string{}); err == nil {
			t.Errorf("%.20q is read", text)
		}
	}
}

// TestWhoGetsIntoCUPS: what cupsd 2.4 of Debian 12 did with each of these files, asked from another address than its own: to change its configuration
// (PUT), to add a printer, to print.
func TestWhoGetsIntoCUPS(t *testing.T) {
	policy := "<Policy default>\n<Limit Print-Job>\nOrder deny,allow\n</Limit>\n<Limit CUPS-Add-Modify-Printer>\nAuthType Default\nRequire user @SYSTEM\n</Limit>\n</Policy>\n"
	conf := "<Location /admin/conf>\nAuthType Default\nRequire user @SYSTEM\nOrder allow,deny\n</Location>\n"
	for name, c := range map[string]struct{ text, want, gives string }{
		"of Debian":                 {"Listen localhost:631\n<Location />\n  Order allow,deny\n</Location>\n<Location /admin>\n  Order allow,deny\n</Location>\n" + conf + policy, dataAsks, ""},
		"no locations":              {"Port 631\n", dataLocal, "configuration"},
		"a location for everybody":  {"<Location />\nAllow all\n</Location>\n" + policy, dataNone, "configuration"},
		"in another order":          {"<Location />\nOrder deny,allow\nDeny from all\nAllow from 10.0.0.0/8\n</Location>\n", dataSome, "configuration"},
		"who prints alone":          {"<Location />\nAllow all\n</Location>\n" + conf + policy, dataNone, "prints"},
		"the network prints":        {"<Location />\nOrder allow,deny\nAllow @LOCAL\n</Location>\n" + conf + policy, dataSome, "prints"},
		"a login":                   {"<Location />\nAllow all\nAuthType Basic\nRequire valid-user\n</Location>\n", dataAsks, ""},
		"a login or an address":     {"<Location />\nAllow all\nAuthType Basic\nSatisfy any\n</Location>\n", dataNone, "configuration"},
		"nobody":                    {"<Location />\nOrder deny,allow\nDeny all\n</Location>\n", dataAsks, ""},
		"a policy for everybody":    {"<Location />\nAllow all\n</Location>\n" + conf + "<Policy default>\n<Limit All>\nOrder deny,allow\n</Limit>\n</Policy>\n", dataNone, "adds"},
		"a policy for nobody":       {"<Location />\nAllow all\n</Location>\n" + conf + "<Policy default>\n<Limit All>\nOrder allow,deny\n</Limit>\n</Policy>\n", dataAsks, ""},
		"a printer alone":           {"<Location />\nOrder allow,deny\nAllow localhost\n</Location>\n<Location /printers>\nOrder allow,deny\nAllow all\n</Location>\n" + conf + "<Policy default>\n<Limit All>\nOrder deny,allow\n</Limit>\n</Policy>\n", dataNone, "adds"},
		"administration asks":       {"<Location />\nAllow all\n</Location>\n<Location /admin>\nAuthType Default\nRequire user @SYSTEM\nAllow all\n</Location>\n<Policy default>\n<Limit All>\nOrder deny,allow\n</Limit>\n</Policy>\n", dataNone, "adds"},
		"another policy":            {"DefaultPolicy mine\n<Location />\nAllow all\n</Location>\n", "", ""},
		"limits by methods":         {"<Location />\nAllow all\n<LimitExcept GET>\nDeny all\n</LimitExcept>\n</Location>\n", "", ""},
		"users, and not how":        {"<Location />\nAllow all\nRequire valid-user\n</Location>\n", "", ""},
		"a star":                    {"<Location />\nOrder allow,deny\nAllow *\n</Location>\n", dataAsks, ""},
		"words in quotes":           {"<Location />\nOrder allow,deny\nAllow \"all\"\n</Location>\n", dataAsks, ""},
		"no network":                {"<Location />\nOrder allow,deny\nAllow 0/0\n</Location>\n", dataAsks, ""},
		"every network":             {"<Location />\nOrder allow,deny\nAllow 0.0.0.0/0.0.0.0\n</Location>\n", dataNone, "configuration"},
		"every network of IPv6":     {"<Location />\nOrder allow,deny\nAllow [::]/0\n</Location>\n", dataNone, "configuration"},
		"a network of no bits":      {"<Location />\nOrder allow,deny\nAllow 0.0.0.0/0\n</Location>\n", "", ""},
		"loopback as a network":     {"<Location />\nOrder allow,deny\nAllow 127.0.0.0/8\n</Location>\n", dataLocal, "configuration"},
		"a part of an address":      {"<Location />\nOrder allow,deny\nAllow From 192.0.2.*\n</Location>\n", dataSome, "configuration"},
		"administration by network": {"<Location />\nAllow all\n</Location>\n<Location /admin>\nAllow all\n</Location>\n" + policy, dataNone, "configuration"},
	} {
		m := settingsAt(t, map[string]string{"etc/cups/cupsd.conf": c.text}, "cupsd", "-l")
		if got := m["login"]; got.Value != c.want || (c.want == "") != (got.Reason != "") {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
		if !strings.Contains(m["gives"].Value, c.gives) {
			t.Errorf("%s: gives %q", name, m["gives"].Value)
		}
	}
}

// TestWhoMountsByNFS: of what the kernel serves the table of exportfs counts, and what clients have asked for; without a table the files of exports.
func TestWhoMountsByNFS(t *testing.T) {
	etab := "/srv\t*(%s,sync,wdelay,hide,nocrossmnt,secure,anonuid=65534,anongid=65534,sec=sys,%s,secure,no_all_squash)\n"
	tab := func(rw, squash string) string {
		return strings.ReplaceAll(strings.Replace(etab, "%s", rw, 1), "%s", rw+","+squash)
	}
	for name, c := range map[string]struct {
		etab, exports, cached string
		want, gives           string
	}{
		"to everybody":               {etab: tab("rw", "root_squash"), want: dataNone, gives: "writes the files of /srv as whoever it says it is, but for root"},
		"as root":                    {etab: tab("rw", "no_root_squash"), want: dataNone, gives: "root too"},
		"to read":                    {etab: tab("ro", "no_root_squash"), want: dataNone, gives: "reads the files of /srv"},
		"to a network":               {etab: strings.Replace(tab("rw", "no_root_squash"), "*", "10.0.0.0/8", 1), want: dataSome, gives: "root too"},
		"to the host":                {etab: strings.Replace(tab("rw", "no_root_squash"), "*", "127.0.0.1", 1), want: dataLocal, gives: "root too"},
		"with Kerberos":              {etab: "/srv *(rw,sec=krb5:krb5p,rw,no_root_squash)\n", want: dataAsks},
		"with Kerberos or without":   {etab: "/srv *(ro,sec=krb5,rw,sec=sys,ro)\n", want: dataNone, gives: "reads the files"},
		"with certificates":          {etab: "/srv *(rw,xprtsec=mtls)\n", want: dataAsks},
		"as one account":             {etab: "/srv *(rw,all_squash)\n", want: dataNone, gives: "as one account"},
		"a name with a blank":        {etab: "/srv/a\\040b *(rw)\n", want: dataNone, gives: "/srv/a b"},
		"nothing":                    {etab: "\n", exports: "/srv *(rw)\n", want: dataAsks},
		"the worst of several":       {etab: "/a *(ro)\n/b *(rw,root_squash)\n/c *(rw,no_root_squash)\n", want: dataNone, gives: "/c as whoever it says it is, root too"},
		"what clients asked for":     {etab: "\n", cached: "# Version 1.1\n# Path Client(Flags) # IPs\n/old\t*(rw,no_root_squash,sync,wdelay,no_subtree_check,uuid=1:2:3:4) # 192.0.2.7\n", want: dataNone, gives: "/old"},
		"the files":                  {exports: "# all\n\"/a b\" -rw,no_root_squash 192.0.2.0/24 \\\n  @hosts(ro)\n", want: dataSome, gives: "writes the files of /a b as whoever it says it is, root too"},
		"a blank before its options": {exports: "/srv host.example (rw)\n", want: dataNone, gives: "writes"},
		"without a client":           {exports: "/srv\n", want: dataNone, gives: "reads"},
	} {
		files := map[string]string{"proc/fs/nfsd/portlist": "tcp 2049\nudp 2049\n", "proc/fs/nfsd/exports": c.cached}
		if c.etab != "" {
			files["var/lib/nfs/etab"] = c.etab
		}
		if c.exports != "" {
			files["etc/exports.d/x.exports"] = c.exports
		}
		s, _ := hostOf(t, files)
		list := s.kernelsNFS(new(Outcome))
		if len(list) != 1 || !list[0].Kernel || !slices.Equal(list[0].Ports, []int{2049}) {
			t.Fatalf("%s: %+v", name, list)
		}
		m := list[0].Settings
		if got := m["login"]; got.State != snapshot.Present || got.Value != c.want || !strings.Contains(m["gives"].Value, c.gives) {
			t.Errorf("%s: %+v", name, m)
		}
	}
	for text, want := range map[string]string{
		"/a 10.0.0.0/255.0.0.0(rw) 192.0.2.7(ro)\n/b 2001:db8::/32(rw) 127.0.0.1(rw)\n/c gss/krb5(rw)\n": "10.0.0.0/8, 192.0.2.7/32, 2001:db8::/32",
		"/a 10.0.0.0/8(rw) *.example.com(rw)\n":                                                          "",
		"/a 10.0.0.0/8(rw) @hosts(ro)\n":                                                                 "",
		"/a 10.0.0.0/255.0.255.0(rw)\n":                                                                  "",
		"/a 10.0.0.0/8(rw)\n/b *(ro)\n":                                                                  "",
	} {
		s, _ := hostOf(t, map[string]string{"proc/fs/nfsd/portlist": "tcp 2049\n", "etc/exports": text})
		if got := s.kernelsNFS(new(Outcome))[0].Settings["sources"].Value; got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	s, _ := hostOf(t, map[string]string{"etc/exports": "/srv *(rw)\n"})
	if list := s.kernelsNFS(new(Outcome)); len(list) != 0 {
		t.Errorf("a kernel that serves nothing: %+v", list)
	}
}
