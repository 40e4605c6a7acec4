// Package rego embeds the policies, the Rego code that they share, and the dated data files of
// ports, process patterns, default authentication and version floors.
package rego

import (
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

// Policies holds policies/<area>/<check>.rego with their tests beside them, and lib.
//
//go:embed policies lib
var Policies embed.FS

// Runtimes is the data file of agent and model runtimes.
//
//go:embed data/runtimes.json
var Runtimes []byte

//go:embed data/gains.json
var gains []byte

// GainData is what is known of programs that give who runs them more than they have, by their names.
type GainData struct {
	Date   string `json:"date"`
	Source string `json:"source"`
	// Harmless are set-id programs of distributions that are meant for everybody.
	Harmless []string `json:"harmless"`
	// Runs are programs that run what their user tells them to, Writes those that write or read the files that their arguments name.
	Runs   []string `json:"runs"`
	Writes []string `json:"writes"`
	// Actions are those of polkit by which somebody becomes root.
	Actions []string `json:"actions"`
	// Meant are units whose users decide who becomes root, and how.
	Meant map[string]string `json:"meant"`
}

// Gains is the data file of such programs.
var Gains = sync.OnceValue(func() *GainData {
	d := new(GainData)
	if err := json.Unmarshal(gains, d); err != nil {
		panic(fmt.Sprintf("read gains.json: %v", err)) // it is part of the program
	}
	return d
})

// Floors is the data file of versions below which a component has a known hole, with where that is told.
//
//go:embed data/floors.json
var Floors []byte

// Digest is the digest of the policies, of what they share and of the data files, without their tests: two builds with the same one
// judge alike.
func Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "runtimes.json %d\n%s", len(Runtimes), Runtimes)
	fmt.Fprintf(h, "gains.json %d\n%s", len(gains), gains)
	fmt.Fprintf(h, "floors.json %d\n%s", len(Floors), Floors)
	err := fs.WalkDir(Policies, ".", func(p string, e fs.DirEntry, err error) error { // in the order of names
		if err != nil || e.IsDir() || strings.HasSuffix(p, "_test.rego") {
			return err
		}
		b, err := Policies.ReadFile(p)
		fmt.Fprintf(h, "%s %d\n%s", p, len(b), b)
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("read embedded policies: %v", err)) // the file system is memory
	}
	return fmt.Sprintf("sha256:%x", h.Sum(nil))
}
