// Command packaging makes what a release has beside its binaries: images of containers (OCI) and lists of what is inside (SBOM). It needs no
// container engine. The same files give the same bytes: nothing of this machine or moment is in them.
//
//	go run ./packaging image TREE PROCESSOR VERSION TIME FILE
//	go run ./packaging sbom BINARY VERSION TIME FILE
//
// TIME is seconds since 1970, that of the commit.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 6 && args[0] == "image":
		when, err := moment(args[4])
		if err != nil {
			return err
		}
		b, err := image(os.DirFS(args[1]), args[2], args[3], when)
		if err != nil {
			return fmt.Errorf("image of %s: %w", args[1], err)
		}
		return os.WriteFile(args[5], b, 0o644) //nolint:gosec // a release is for everybody
	case len(args) == 5 && args[0] == "sbom":
		when, err := moment(args[3])
		if err != nil {
			return err
		}
		b, err := sbom(args[1], args[2], when)
		if err != nil {
			return fmt.Errorf("sbom of %s: %w", args[1], err)
		}
		return os.WriteFile(args[4], b, 0o644) //nolint:gosec // a release is for everybody
	}
	return errors.New("want image TREE PROCESSOR VERSION TIME FILE, or sbom BINARY VERSION TIME FILE")
}

func moment(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q: want seconds since 1970", text)
	}
	return time.Unix(n, 0).UTC(), nil
}
