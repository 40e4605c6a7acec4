package declared

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/assume"
	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// quoted is a text of the host as YAML and JSON both read it, in one line without characters that a terminal acts on.
func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""`
	}
	return string(escape.JSON(bytes.TrimSpace(b.Bytes())))
}

// lastPort is where ports begin that programs get by chance (ip_local_port_range, ip-sysctl in the kernel's documentation).
const lastPort = 32768

// declaration is a real flow as a model declares it.
func (w *real) declaration(why string) string {
	parts := []string{"from: " + w.from, "to: " + w.to}
	if s := w.service; s != nil {
		port := fmt.Sprint(s.Port)
		if s.Port >= lastPort {
			port = fmt.Sprintf("%d-65535", lastPort)
		}
		parts = append(parts, "service: "+s.Proto+"/"+port)
		if s.Owner != "" && s.Owner != "unknown" {
			parts = append(parts, "owner: "+quoted(s.Owner))
		}
		if w.to != "host" {
			parts = append(parts, "in: "+quoted(s.Namespace))
		}
	}
	if why != "" {
		parts = append(parts, "why: "+quoted(why))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// Begin is a first model of a host: its zones, the flows that are possible, and the shipped assumptions that are not refuted. What is not known stands
// in comments, and so do the assumptions that do not hold.
func Begin(r *finding.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# A model of %s, as it was seen at %s. Take out what is not meant to be, and say why for what stays:\n# ringfence audit --model FILE\nversion: 1\n",
		quoted(r.Host.Name), quoted(r.Snapshot.CollectedAt))
	b.WriteString("\nzones:\n")
	for _, name := range Names {
		var list []string
		for _, z := range r.Zones {
			if over(z.Zone) == name && name != "host" && z.Name != "local processes" {
				list = append(list, quoted(escaped(z.Name)))
			}
		}
		if len(list) > 0 {
			fmt.Fprintf(&b, "  - {name: %s, interfaces: [%s]}\n", name, strings.Join(list, ", "))
		}
	}
	b.WriteString("\nflows:\n")
	var unknown, seen []string
	for _, w := range flows(r) {
		switch line := w.declaration("it was so at first"); {
		case w.any.verdict == "unknown":
			unknown = append(unknown, quoted(w.key+": "+strings.Join(w.any.because, "; ")))
		case w.any.verdict == "reachable" && !slices.Contains(seen, line):
			seen = append(seen, line)
			fmt.Fprintf(&b, "  - %s\n", line)
		}
	}
	if len(seen) == 0 {
		b.WriteString("  []\n")
	}
	for _, u := range unknown {
		fmt.Fprintf(&b, "  # not known: %s\n", u)
	}
	holds, refuted := []string{}, []string{}
	for i := range r.Assumptions {
		if a := &r.Assumptions[i]; a.Shipped && a.Validity != finding.Rejected {
			holds = append(holds, a.ID)
		} else if a.Shipped {
			refuted = append(refuted, a.ID)
		}
	}
	if len(holds) > 0 {
		b.WriteString("\nassumptions:\n" + assume.ShippedEntries(holds))
	}
	for _, id := range refuted {
		fmt.Fprintf(&b, "  # does not hold: %s\n", id)
	}
	return b.String()
}

// escaped is a name as a pattern of itself.
func escaped(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}
