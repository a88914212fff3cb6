import Foundation
import Results
import StoreTestSupport
import TestSupport
import Testing
@testable import Statistics

@Suite struct ConstructionTests {
    @Test func fromTheColumns() {
        func what(
            _ site: String, layer: String = "3", token: String = "", head: String = "",
            _ kind: Intervention = .denoising
        ) -> Construction? {
            Construction(
                PatchRecord(direction: "restore", site: site, layer: layer, head: head, token: token, window: "1"),
                kind,
                layers: 12)
        }
        for site in ["embed", "resid_pre", "resid_mid", "resid_post", "z+resid_post"] {
            #expect(what(site) == .everything && what(site, .noising) == .everything)
            #expect(what(site, token: "5") == nil && what(site, .zero) == nil && what(site, .donor) == nil)
        }
        #expect(what("attn_out") == nil && what("z", head: "2") == nil)
        for site in ["resid_mid", "resid_post", "attn_out", "mlp_out", "z", "q", "mlp_act"] {
            #expect(
                what(site, layer: "11", token: "5") == .nothing
                    && what(site, layer: "11", token: "5", .zero) == .nothing)
            #expect(what(site, layer: "11", token: "0") == nil && what(site, layer: "10", token: "5") == nil)
            #expect(what(site, layer: "11", token: "0+5") == nil)
        }
        for site in ["k", "v", "resid_pre"] { #expect(what(site, layer: "11", token: "5") == nil) }
        for site in ["resid_pre", "q", "k", "v"] {
            #expect(what(site, layer: "0", token: "0") == .nothing && what(site, layer: "0", token: "0", .mean) == nil)
            #expect(what(site, layer: "1", token: "0") == nil)
        }
    }
}

@Suite struct TokenLayoutTests {
    private func what(_ token: String, layer: String = "11", site: String = "attn_out", _ layout: TokenLayout?)
        -> Construction?
    {
        Construction(
            PatchRecord(direction: "restore", site: site, layer: layer, head: "", token: token, window: "1"),
            .denoising,
            layers: 12, tokens: layout)
    }

    /// Which patches cannot have an effect follows from the tokens that are read.
    @Test func constructionFollowsTheReadout() {
        let mean = TokenLayout(prefix: ["cls"], patches: 9, read: [[1, 10]])
        #expect(what("5", mean) == nil && what("patches", mean) == nil && what("0", mean) == .nothing)
        #expect(what("cls", mean) == .nothing && what("1:2x0:2", mean) == nil)
        let distilled = TokenLayout(prefix: ["cls", "distillation"], patches: 9, read: [[0, 1], [1, 2]])
        #expect(
            what("1", distilled) == nil && what("distillation", distilled) == nil && what("2", distilled) == .nothing)
        #expect(what("0+1", layer: "0", site: "resid_pre", distilled) == .nothing)
        #expect(what("0+2", layer: "0", site: "resid_pre", distilled) == nil)
        let none = TokenLayout(prefix: [], patches: 9, read: [[0, 9]])
        #expect(what("0", layer: "0", site: "resid_pre", none) == nil && what("0", none) == nil)
        let registers = TokenLayout(prefix: ["cls", "register", "register"], patches: 9, read: [[0, 1], [3, 12]])
        #expect(
            what("registers", registers) == .nothing && what("cls", registers) == nil && what("2+4", registers) == nil)
        // Without a layout, only CLS is read, also under its name.
        #expect(what("cls", nil) == nil && what("0", nil) == nil && what("patches", nil) == .nothing)
    }

    @Test func gridOfPatches() {
        let layout = TokenLayout(prefix: ["cls", "register"], patches: 9, read: [])
        #expect(layout.grid(of: (0..<11).map(String.init)) == 3 && layout.grid(of: (0..<10).map(String.init)) == nil)
        #expect(TokenLayout.cls.grid(of: (0..<10).map(String.init)) == 3)
        // 2 x 8 patches are no square of 16.
        let wide = TokenLayout(prefix: [], patches: 16, rows: 2, read: [])
        #expect(wide.grid(of: (0..<16).map(String.init)) == nil)
        #expect(layout.grid(of: (1..<12).map(String.init)) == nil && layout.grid(of: []) == nil)
        #expect(layout.name(0) == "CLS" && layout.name(1) == "register" && layout.name(2) == "token 2")
    }
}
