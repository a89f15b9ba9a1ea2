package detect

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// The bounds of an expression. What they admit runs in well under 100 µs, whatever it says.
const (
	expressionMax = 1_000 // bytes; bounds how deep the parser recurses, too
	nodesMax      = 200
	memoryMax     = 10_000 // elements that one evaluation may make
)

// facts is what an expression may ask. Its field names are those in the tags.
type facts struct {
	Protocol      string `expr:"protocol"` // modbus, arp, icmp, dns, tcp, udp, …
	Kind          string `expr:"kind"`     // request, response, opened, …
	Class         string `expr:"class"`    // read, write, diagnostic, identify, program, control, unknown
	Client        string `expr:"client"`
	Server        string `expr:"server"`
	Port          int    `expr:"port"` // the server's
	Unit          int    `expr:"unit"`
	Function      int    `expr:"function"`
	Subfunction   int    `expr:"subfunction"`
	Ranged        bool   `expr:"ranged"`
	Address       int    `expr:"address"`
	Quantity      int    `expr:"quantity"`
	Exception     int    `expr:"exception"`
	Reason        string `expr:"reason"`
	MidStream     bool   `expr:"mid_stream"`
	Device        string `expr:"device"`         // the one that a device or ARP signal is about
	ClientKnown   bool   `expr:"client_known"`   // it was there when the baseline was learned
	ServerKnown   bool   `expr:"server_known"`   // likewise
	ClientWrites  bool   `expr:"client_writes"`  // it wrote to some device then
	PairKnown     bool   `expr:"pair_known"`     // client, server and service talked then
	WritesLearned bool   `expr:"writes_learned"` // somebody wrote to something then
	Ongoing       bool   `expr:"ongoing"`        // new-pair: it was told of this pair before; new-writer: of this client
	ServicePeers  int    `expr:"service_peers"`  // how many servers this client used this service of then
	Answers       bool   `expr:"answers"`        // new-device, new-address: first seen as it answered one that is known
	OwnerAge      int    `expr:"owner_age"`      // arp-conflict: seconds since the address's owner was last heard
	Claims        int    `expr:"claims"`         // arp-conflict: how many addresses the claiming MAC holds, this one included
	Packets       int    `expr:"packets"`        // second: packets in it
	LearnedMost   int    `expr:"learned_most"`   // second: the most packets in any second that was learned, 0: none was
}

// compile checks and compiles an expression, and says what is wrong with it, "" where nothing is.
//
// What is allowed is listed, not what is forbidden: names of facts, literals, lists of literals, comparisons, and,
// or, not, in, contains, startsWith, endsWith, + - *. There are no calls, no loops, no ranges, no patterns and no
// division, so that the cost of an evaluation is bounded by the size of the text and none fails. The listing goes over
// the parsed text before expr's optimizer sees it, which would build a list of a billion numbers from "1..1e9".
func compile(text string) (*vm.Program, string) {
	if len(text) > expressionMax {
		return nil, fmt.Sprintf("is longer than %d bytes", expressionMax)
	}
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, explain(err)
	}
	checker := &allowed{}
	ast.Walk(&tree.Node, checker)
	switch {
	case checker.nodes > nodesMax:
		return nil, fmt.Sprintf("has more than %d parts", nodesMax)
	case checker.refused != "":
		return nil, checker.refused
	}
	program, err := expr.Compile(text, expr.Env(&facts{}), expr.AsBool(), expr.DisableAllBuiltins(), expr.MaxNodes(nodesMax))
	if err != nil {
		return nil, explain(err)
	}
	return program, ""
}

// explain is the message of an expr error in one line, without its picture of the source.
func explain(err error) string {
	if e, ok := errors.AsType[*file.Error](err); ok {
		return fmt.Sprintf("is not an expression that can be used: %.200s (column %d)", strings.ReplaceAll(e.Message, "\n", " "), e.Column+1)
	}
	return fmt.Sprintf("is not an expression that can be used: %.200s", strings.ReplaceAll(err.Error(), "\n", " "))
}

// allowed refuses every part of an expression that is not listed here.
type allowed struct {
	nodes   int
	refused string
}

// Visit implements ast.Visitor.
func (a *allowed) Visit(node *ast.Node) {
	a.nodes++
	switch n := (*node).(type) {
	case *ast.IdentifierNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.ArrayNode, *ast.ConditionalNode:
	case *ast.UnaryNode:
	case *ast.BinaryNode:
		switch n.Operator {
		case "==", "!=", "<", "<=", ">", ">=", "and", "or", "&&", "||", "in", "contains", "startsWith", "endsWith", "+", "-", "*":
		default:
			a.refuse("the operator "+n.Operator, n)
		}
	default:
		a.refuse(strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", n), "*ast."), "Node"), n)
	}
}

func (a *allowed) refuse(what string, n ast.Node) {
	if a.refused == "" {
		a.refused = fmt.Sprintf("uses %s (column %d): only names, numbers, texts, lists, comparisons, and, or, not, in, contains, startsWith, endsWith, + - * are allowed", what, n.Location().From+1)
	}
}

// holds evaluates a rule's condition. An expression that passed compile cannot fail; if it did, it would not hold.
func (e *Engine) holds(r *Rule, f *facts) bool {
	out, err := e.machine.Run(r.program, f)
	yes, _ := out.(bool)
	return err == nil && yes
}
