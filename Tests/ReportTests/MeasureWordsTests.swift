import StoreTestSupport
import Testing

@testable import Report
@testable import Results

struct MeasureWordsTests {
    @Test func theyFollowTheSweep() {
        var m = Manifest(
            version: "", model: "", modelHash: "", data: "", dataHash: "", spec: "", corruptions: [], patches: [],
            classNames: ["cat", "dog"])
        func foil(_ text: String?) -> String {
            m.foil = text
            return MeasureWords.foil(m)
        }
        #expect(foil("pooled").hasSuffix("over the clean and the corrupted pass"))
        #expect(foil("clean").hasSuffix("in the clean pass") && foil("corrupted").hasSuffix("in the corrupted pass"))
        #expect(foil(nil) == foil("corrupted") && foil("1") == "dog")
        m.donor = "gray"
        #expect(foil("pooled").hasSuffix("in the clean pass"))
        #expect(MeasureWords.target(m) == "the image's label")
        m.target = "0"
        #expect(MeasureWords.target(m) == "cat")
        m.target = "clean"
        #expect(MeasureWords.target(m) == "the class the clean pass predicts")
    }
}
