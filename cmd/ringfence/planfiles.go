package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
)

// writePlan writes a plan as files below a directory: ruleset.nft, undo.nft, and each file of a service by its path.
func writePlan(p *remedy.Plan, dir string) error {
	files := map[string]string{}
	if p.Ruleset != "" {
		files["ruleset.nft"], files["undo.nft"] = p.Ruleset, p.Inverse
	}
	for i := range p.Files {
		if name := strings.TrimPrefix(p.Files[i].Path, "/"); filepath.IsLocal(name) {
			files[name] = p.Files[i].Content
		}
	}
	if err := host.WriteTree(dir, files); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}
