import Patch
import Testing

@testable import Spec

/// Methods and metrics of estimates, and the patches and images that get exact passes.
struct EstimateTests {
    @Test func methodsAndMetrics() throws {
        let none = try SweepOptions().settings()
        #expect(none.estimates == [] && none.estimateOf == [.logOdds] && none.exact == .all && none.exactImages == nil)
        #expect(none.estimation.names == [])
        let flagged = try flags([.estimate: "atp ig:5", .estimateOf: "p logit_diff", .exactImages: "20"]).settings()
        #expect(flagged.estimates == [.atp, .ig(5)] && flagged.estimateOf == [.p, .logitDiff])
        #expect(flagged.estimation.names == ["atp_p", "atp_logit_diff", "ig5_p", "ig5_logit_diff"])
        #expect(flagged.exactImages == 20)
        let file = try SweepOptions(
            yaml: "estimate: [atp, \"ig:5\"]\nestimate-of: [p, logit_diff]\nexact-images: 20\n", name: "s.yaml")
        #expect(try file.settings() == flagged)
        #expect(try SweepOptions(yaml: file.yaml, name: "s.yaml").settings() == flagged)
    }

    @Test(arguments: [
        ("all", Exact.all), ("none", Exact.none), ("top:50", .top(50, random: 0)), ("random:30", .top(0, random: 30)),
        ("top:50,random:30", .top(50, random: 30)), ("random:30,top:50", .top(50, random: 30)),
    ])
    func exactPasses(_ text: String, _ exact: Exact) throws {
        #expect(try flags([.estimate: "atp", .exact: text]).settings().exact == exact)
        #expect(Exact(exact.description) == exact)
        #expect(exact.isScreened == text.contains("top"))
    }

    @Test(arguments: [
        "", "some", "top", "top:", "top:-1", "top:+1", "top:1.5", "top:0", "top:1,top:2", "top:1,", "top:1:2",
        "top:0,random:0", "top:99999999999999999999",
    ])
    func notWhichPatches(_ text: String) { #expect(Exact(text) == nil) }

    @Test(arguments: ["ig", "ig:", "ig:0", "ig:1001", "ig:-5", "ig5", "ATP", ""])
    func notMethods(_ text: String) { #expect(EstimateMethod(text) == nil) }

    @Test(arguments: [
        ("estimate: [atp,\n atpx]", "s.yaml:2: estimate atpx is unknown; valid are atp and ig:N with N from 1 to 1000"),
        ("estimate: [atp, atp]", "s.yaml:1: estimate atp is given twice"),
        ("estimate: [\"ig:5\", \"ig:05\"]", "s.yaml:1: estimate ig:05 is given twice"),
        (
            "estimate: atp\nestimate-of: loss",
            "s.yaml:2: estimate-of loss is unknown; valid are log_odds, logit_diff, logit, p"
        ),
        ("estimate: atp\nestimate-of: [p, p]", "s.yaml:2: estimate-of p is given twice"),
        (
            "estimate: atp\nexact: best",
            "s.yaml:2: exact best: expected all | none | top:K | random:R | top:K,random:R"
        ),
        ("estimate: atp\nexact-images: 0", "s.yaml:2: exact-images 0: expected at least 1"),
        ("estimate-of: p", "s.yaml:1: estimate-of p: it goes with --estimate"),
        ("exact: none", "s.yaml:1: exact none: it goes with --estimate"),
        ("exact: \"top:5\"", "s.yaml:1: exact top:5: it goes with --estimate"),
        ("exact-images: 5", "s.yaml:1: exact-images 5: it goes with --estimate"),
        (
            "estimate: atp\nexact: none\nexact-images: 5",
            "s.yaml:3: exact-images 5: --exact none leaves no exact passes"
        ),
        (
            "estimate: atp\nexact: \"top:5\"\nshard: 0/2",
            "s.yaml:2: exact top:5: the patches are chosen by the estimates of all images, so --shard does not go with it; random:R does"
        ),
        (
            "estimate: atp\nexact: none\ncontrol: 2",
            "s.yaml:2: exact none: random places are compared by exact passes, so --control does not go with it"
        ),
    ])
    func whatDoesNotGoTogether(_ yaml: String, _ expected: String) { #expect(problem(yaml) == expected) }

    @Test func shardsTakeRandomPatches() {
        #expect(problem("estimate: atp\nexact: \"random:5\"\nshard: 0/2") == nil)
        #expect(problem("estimate: atp\nexact-images: 7\nshard: 0/2\ncontrol: 2") == nil)
    }

    @Test func everyNeuronIsAPatch() throws {
        let items = try sweep("site: mlp_act\nneurons: each\nlayers: 2").items(config: config)
        #expect(
            items.map(\.patch.parts)
                == (0..<config.intermediateSize).map { [Part(site: .mlpAct, layers: [2], neurons: [$0])] })
        #expect(items.map(\.site) == (0..<config.intermediateSize).map { "mlp_act[\($0)]" })
        #expect(
            problem("patches: [{name: a, parts: [{site: mlp_act, layers: 1, neurons: each}]}]")?.contains("is one set")
                == true)
    }
}
