import Foundation

/// The file formats of figures besides SVG.
package enum PictureFormat: String, CaseIterable, Sendable, CustomStringConvertible {
    case png, pdf
    package var description: String { rawValue }
}

/// librsvg and cairo, which render figures as PNG and PDF. They are loaded when needed, so the program runs without
/// them.
struct VectorLibrary {
    /// Pixels of a PNG per pixel of the figure, for print and high-resolution screens
    private static let zoom = 2.0

    private typealias Object = UnsafeMutableRawPointer
    private typealias Write = @convention(c) (Object?, UnsafePointer<UInt8>?, UInt32) -> Int32
    private struct Rectangle { var x = 0.0, y = 0.0, width: Double, height: Double }

    private let newHandle: @convention(c) (UnsafePointer<UInt8>, UInt, UnsafeMutablePointer<Object?>) -> Object?
    private let render: @convention(c) (Object, Object, UnsafeRawPointer, UnsafeMutablePointer<Object?>) -> Int32
    private let release: @convention(c) (Object) -> Void
    private let imageSurface: @convention(c) (Int32, Int32, Int32) -> Object?
    private let pdfSurface: @convention(c) (Write, Object?, Double, Double) -> Object?
    private let writePNG: @convention(c) (Object, Write, Object?) -> Int32
    private let create: @convention(c) (Object) -> Object?
    private let destroy, destroySurface, finish: @convention(c) (Object) -> Void
    private let status: @convention(c) (Object) -> Int32

    /// - Parameters: the names of the libraries' files
    /// - Returns: nil if a library or one of its functions is missing
    init?(rsvg: String = "librsvg-2.so.2", cairo: String = "libcairo.so.2", gobject: String = "libgobject-2.0.so.0") {
        guard let rsvg = dlopen(rsvg, RTLD_NOW), let cairo = dlopen(cairo, RTLD_NOW),
            let gobject = dlopen(gobject, RTLD_NOW)
        else { return nil }
        func function<F>(_ name: String, in library: UnsafeMutableRawPointer) -> F? {
            dlsym(library, name).map { unsafeBitCast($0, to: F.self) }
        }
        guard
            let newHandle: @convention(c) (UnsafePointer<UInt8>, UInt, UnsafeMutablePointer<Object?>) -> Object? =
                function("rsvg_handle_new_from_data", in: rsvg),
            let render: @convention(c) (Object, Object, UnsafeRawPointer, UnsafeMutablePointer<Object?>) -> Int32 =
                function("rsvg_handle_render_document", in: rsvg),
            let release: @convention(c) (Object) -> Void = function("g_object_unref", in: gobject),
            let imageSurface: @convention(c) (Int32, Int32, Int32) -> Object? =
                function("cairo_image_surface_create", in: cairo),
            let pdfSurface: @convention(c) (Write, Object?, Double, Double) -> Object? =
                function("cairo_pdf_surface_create_for_stream", in: cairo),
            let writePNG: @convention(c) (Object, Write, Object?) -> Int32 =
                function("cairo_surface_write_to_png_stream", in: cairo),
            let create: @convention(c) (Object) -> Object? = function("cairo_create", in: cairo),
            let destroy: @convention(c) (Object) -> Void = function("cairo_destroy", in: cairo),
            let destroySurface: @convention(c) (Object) -> Void = function("cairo_surface_destroy", in: cairo),
            let finish: @convention(c) (Object) -> Void = function("cairo_surface_finish", in: cairo),
            let status: @convention(c) (Object) -> Int32 = function("cairo_surface_status", in: cairo)
        else { return nil }
        (self.newHandle, self.render, self.release) = (newHandle, render, release)
        (self.imageSurface, self.pdfSurface, self.writePNG) = (imageSurface, pdfSurface, writePNG)
        (self.create, self.destroy, self.destroySurface) = (create, destroy, destroySurface)
        (self.finish, self.status) = (finish, status)
    }

    /// The bytes that cairo has written so far
    private final class Output { var bytes: [UInt8] = [] }

    private static let write: Write = { output, bytes, count in
        guard let output, let bytes else { return 11 }  // CAIRO_STATUS_WRITE_ERROR
        Unmanaged<Output>.fromOpaque(output).takeUnretainedValue().bytes += UnsafeBufferPointer(
            start: bytes, count: Int(count))
        return 0
    }

    /// Renders an SVG of `width` x `height` pixels; nil if the libraries fail. A PDF has this size in points.
    func picture(of svg: String, width: Double, height: Double, as format: PictureFormat) -> [UInt8]? {
        var error: Object?
        let bytes = Array(svg.utf8), output = Output()
        let closure = Unmanaged.passUnretained(output).toOpaque()
        let zoom = format == .png ? Self.zoom : 1
        guard let handle = newHandle(bytes, UInt(bytes.count), &error) else { return nil }
        defer { release(handle) }
        let surface =
            switch format {
            case .png: imageSurface(0, Int32((width * zoom).rounded(.up)), Int32((height * zoom).rounded(.up)))
            case .pdf: pdfSurface(Self.write, closure, width, height)
            }
        guard let surface else { return nil }
        defer { destroySurface(surface) }
        guard status(surface) == 0, let drawing = create(surface) else { return nil }
        var page = Rectangle(width: width * zoom, height: height * zoom)
        let isDrawn = render(handle, drawing, &page, &error) != 0
        destroy(drawing)
        guard isDrawn else { return nil }
        let isWritten: Bool
        switch format {
        case .png: isWritten = writePNG(surface, Self.write, closure) == 0
        case .pdf:
            finish(surface)
            isWritten = status(surface) == 0
        }
        return withExtendedLifetime(output) { isWritten ? output.bytes : nil }
    }
}
