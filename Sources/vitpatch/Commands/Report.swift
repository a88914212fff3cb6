import ArgumentParser
import Foundation
import Report
import Results

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write a sweep's report: DIR/report.html and DIR/figures/*.svg, with the tables behind them as CSV.")

    @Argument(help: "Results folder of a sweep.")
    var folder: String

    @Option(help: "Where the images are now, for the examples' pictures (default: where the sweep found them).")
    var data: String?

    @Flag(help: "Write the figures as PNG too, with librsvg and cairo, which must be installed.")
    var png = false

    @Flag(help: "Write the figures as PDF too, likewise.")
    var pdf = false

    @Option(
        help: ArgumentHelp(
            "Number of images, those with the largest and the smallest effects, that a heat map's cell opens; 0 for none.",
            valueName: "count"))
    var images = 6

    func validate() throws {
        guard (0...100).contains(images) else { throw UsageError("--images \(images): expected 0 to 100") }
    }

    mutating func run() throws {
        try Self.write(
            folder: folder, data: data, images: images, formats: (png ? [.png] : []) + (pdf ? [.pdf] : []))
    }

    static func write(folder: String, data: String? = nil, images: Int = 6, formats: [PictureFormat] = []) throws {
        let store = try Store.open(folder)
        let pictures = try SweepPictures(store.manifest, data: data)
        let files = try writeReport(
            of: store, to: folder, images: pictures.map { pictures in { try pictures(id: $0, corruption: $1) } },
            thumbnails: pictures.map { pictures in { try pictures.thumbnail(id: $0) } }, cellImages: images,
            formats: formats)
        if let first = files.others.first {
            let more = files.others.count > 1 ? " and \(files.others.count - 1) more are" : " is"
            Terminal.warning("\(folder)/figures: \(first)\(more) not of this report, but of an earlier one")
        }
        Terminal.standardError("\(files.figures.count) figures in \(folder)/figures\n")
        Terminal.standardOutput("\(files.page)\n")
    }
}
