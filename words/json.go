package words

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// JSONError says in words of people what is wrong with a text that could not be decoded as JSON.
func JSONError(text []byte, err error) error {
	if err == nil {
		return nil
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return errors.New("nothing is in it")
	}
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
		place := "it is"
		if wrong.Field != "" {
			place = wrong.Field + ":"
		}
		kind, _, _ := strings.Cut(wrong.Value, " ")
		return fmt.Errorf("%s %s, want %s", place, article(kind), article(jsonKind(wrong)))
	}
	syntax := new(json.SyntaxError)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax) && strings.HasPrefix(err.Error(), "unexpected end"):
		return fmt.Errorf("it ends early (%w)", err)
	case errors.As(err, &syntax):
		return fmt.Errorf("no JSON in line %d: %w", 1+bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n")), err)
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("it has a field %s, which is not known", field)
	}
	return err
}

// jsonKind is what JSON calls the type that was wanted.
func jsonKind(e *json.UnmarshalTypeError) string {
	switch kind := e.Type.Kind().String(); kind {
	case "struct", "map", "pointer":
		return "object"
	case "slice", "array":
		return "array"
	case "string", "bool":
		return kind
	default:
		return "number"
	}
}

func article(word string) string {
	if strings.ContainsAny(word[:min(1, len(word))], "aeo") {
		return "an " + word
	}
	return "a " + word
}
