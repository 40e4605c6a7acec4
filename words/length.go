package words

import (
	"math"
	"strings"
	"time"
)

// ALength is what Length wants.
const ALength = "a time such as 20s, 2m, 24h or 7d"

// Length reads a time that is longer than none, as flags and files have it: with the units of Go, and days before them.
func Length(text string) (time.Duration, error) {
	var whole time.Duration
	days, rest, ok := strings.Cut(text, "d")
	if !ok {
		rest = text
	} else {
		hours, err := time.ParseDuration(days + "h")
		if err != nil || strings.Trim(days, ".0123456789") != "" || hours > math.MaxInt64/24 {
			return 0, WantError(ALength)
		}
		whole = 24 * hours
	}
	if rest != "" || !ok {
		part, err := time.ParseDuration(rest)
		if err != nil || ok && part < 0 || part > math.MaxInt64-whole {
			return 0, WantError(ALength)
		}
		whole += part
	}
	if whole <= 0 {
		return 0, WantError("more than 0")
	}
	return whole, nil
}
