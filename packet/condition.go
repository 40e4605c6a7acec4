package packet

// Traffic says how what depends on the traffic before a packet has to be.
type Traffic string

// How traffic before can have left a rule.
const (
	AtRest   Traffic = "at rest"   // as nothing before has used it up: the first packet meets it so
	UsedUp   Traffic = "used up"   // as enough traffic leaves it
	ByChance Traffic = "by chance" // it comes out one way or another
	AsSent   Traffic = "as sent"   // the sender has to write it so
	AtTime   Traffic = "at times"  // the clock has to show it
	Entered  Traffic = "entered"   // rules have to have put something into a set before
)

// Condition is a part of a rule that not the packet of a question decides but the traffic before it, chance, the clock, or what its sender
// writes beside addresses and ports, and how it has to be for an answer.
type Condition struct {
	Where
	Text  string  `json:"text"`  // in words, to be put after "if"
	State Traffic `json:"state"` // how the traffic before has to have left it
}

// String is the condition with its place.
func (c Condition) String() string {
	if c.Table == "" {
		return c.Text
	}
	return c.Text + " (" + c.Where.String() + ")"
}
