/// The page's own style sheet.
enum ReportStyle {
    static let sheet = """
        *{box-sizing:border-box}html{-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--paper);color:var(--ink);font:17px/1.55 "Iowan Old Style","Palatino Linotype",Palatino,"Source Serif 4",Georgia,serif}
        main{max-width:1112px;margin:0 auto;padding:28px 16px 80px;overflow-wrap:break-word}
        header,main>p,section>p,section>ul,section>dl{max-width:46em}
        h1{font-size:1.9rem;line-height:1.2;margin:.2em 0 .4em;font-weight:600;text-wrap:balance}
        h2{font-size:1.3rem;margin:2.4em 0 .6em;padding-top:.7em;border-top:1px solid var(--rule);font-weight:600}
        h3{font-size:1.08rem;margin:1.8em 0 .4em;font-weight:600}h4{font-size:1rem;margin:0 0 .5em;font-weight:600}
        code,pre,.mono{font:.84em ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
        pre{background:var(--faint);padding:.8em 1em;overflow-x:auto;border-radius:3px;white-space:pre-wrap;overflow-wrap:anywhere}
        a{color:var(--s0)}.kicker,.note,figcaption,summary,dt,th,.legend,nav,button{font-family:system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
        .kicker{color:var(--soft);font-size:.8rem;letter-spacing:.02em;margin:0}.note{color:var(--soft);font-size:.82rem}
        .lead{font-size:1.08rem}h3 .note{font-weight:400}nav{font-size:.82rem;color:var(--soft);margin:1.2em 0;display:flex;flex-wrap:wrap;gap:.2em 1.1em}nav a{text-decoration:none}
        dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.25em 1.2em;margin:0}dt{color:var(--soft);font-size:.84rem;padding-top:.17em}dd{margin:0;overflow-wrap:anywhere}
        .cards{display:flex;flex-wrap:wrap;border:solid var(--rule);border-width:1px 0 0 1px;margin:1em 0 1.2em}
        .cards div{flex:1 1 150px;padding:.7em .9em;border:solid var(--rule);border-width:0 1px 1px 0}.cards b{display:block;font-weight:600;font-size:1.28rem;font-variant-numeric:tabular-nums lining-nums}
        .cards span{display:block;color:var(--soft);font:.78rem/1.35 system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
        figure{margin:1.6em 0 2.4em}figcaption{color:var(--soft);font-size:.84rem;line-height:1.45;margin:.5em 0;max-width:56em}
        .panels{display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));gap:12px 16px;max-width:calc(var(--n)*var(--w)*1.2)}
        .panels svg{display:block;width:100%;height:auto;overflow:visible}
        .panels.small svg{max-width:calc(var(--w)*1.3)}
        .panels.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,calc(var(--w)*.92)),1fr));max-width:none}
        @media(max-width:900px){.panels:not(.small){grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));max-width:none}}
        .legend{display:flex;flex-wrap:wrap;gap:.35em 1.3em;align-items:center;font-size:.8rem;color:var(--ink);margin:.6em 0}
        .legend span{display:inline-flex;align-items:center;gap:.5em}.legend svg{width:26px;height:12px;flex:none}.legend svg.bar{width:320px;max-width:100%;height:auto}
        .warning{font-weight:600}details.strength>summary{font-size:1rem;color:var(--ink);padding:.4em 0;border-top:1px solid var(--rule)}
        details{margin:.4em 0}summary{cursor:pointer;color:var(--soft);font-size:.82rem}
        .scroll{overflow-x:auto;max-height:30em;overflow-y:auto;margin:.5em 0;border:1px solid var(--rule)}
        table{border-collapse:collapse;font:.8rem/1.35 system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;font-variant-numeric:tabular-nums;width:100%}
        th,td{padding:.3em .6em;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}th{white-space:normal;vertical-align:bottom;line-height:1.2;position:sticky;top:0;background:var(--faint);font-weight:600}
        th:first-child,td:first-child{text-align:left}.wraps td{white-space:normal}.wraps td,.wraps th{padding:.3em .45em}
        .examples{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,320px),1fr));gap:26px 20px}.examples article{min-width:0}
        .examples h5{font:600 .84rem/1.4 system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;margin:0 0 .4em;overflow-wrap:anywhere}
        .pictures{display:flex;gap:10px;margin:.3em 0;align-items:flex-start}.pictures figure{margin:0;flex:0 1 156px;min-width:0}
        .pictures img{width:100%;height:auto;display:block;border:1px solid var(--rule)}.pixels{image-rendering:pixelated}.under{filter:grayscale(1)}.examples .map svg{max-width:260px}
        .pictures figcaption{margin:.2em 0 0;font-size:.76rem;color:var(--ink)}.pictures .note{flex:1 1 0;max-width:156px}.soft{color:var(--soft)}
        .examples svg{width:100%;max-width:440px;height:auto;display:block;margin-top:.5em}.examples p{margin:.3em 0;font-size:.86rem;line-height:1.4;overflow-wrap:anywhere}
        .examples table{max-width:440px;margin:.3em 0}.examples th{position:static;background:none;font-weight:400;color:var(--soft)}.examples th,.examples td{padding:.14em .9em .14em 0}.examples th:last-child,.examples td:last-child{padding-right:0}
        .examples td:nth-child(2),.examples th:nth-child(2){text-align:left;white-space:normal;width:100%}.examples td.hit{font-weight:600}
        .theme{position:absolute;top:14px;right:16px}button,input{font:.78rem system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
        button{color:var(--soft);background:none;border:1px solid var(--rule);border-radius:3px;padding:.3em .7em;cursor:pointer}
        input{color:var(--ink);background:var(--paper);border:1px solid var(--rule);border-radius:3px;padding:.3em .5em;width:min(100%,22em)}
        .filter{display:flex;flex-wrap:wrap;gap:.3em .8em;align-items:center;margin:.5em 0}
        th[role=button]{cursor:pointer}th[aria-sort=ascending]::after{content:" ▲"}th[aria-sort=descending]::after{content:" ▼"}
        :focus-visible{outline:2px solid var(--s0);outline-offset:1px}.files{white-space:nowrap}.files a{margin-left:.5em}
        [data-c].opens{cursor:pointer}.at{stroke:var(--ink);stroke-width:1.6}
        dialog{color:var(--ink);background:var(--paper);border:1px solid var(--rule);border-radius:4px;padding:1em 1.2em;max-width:min(46em,94vw);max-height:88vh}
        dialog::backdrop{background:#0006}dialog h4{white-space:pre-line;padding-right:5em}dialog button{position:absolute;top:.9em;right:1em}
        .behind{display:flex;flex-wrap:wrap;gap:12px}.behind figure{margin:0;width:104px}.behind img{width:100%;display:block;border:1px solid var(--rule);image-rendering:pixelated}
        .behind figcaption{margin:.2em 0 0;font-size:.74rem;overflow-wrap:anywhere}.behind b{color:var(--ink);font-variant-numeric:tabular-nums}
        #tip{position:fixed;pointer-events:none;z-index:9;background:var(--ink);color:var(--paper);font:12px/1.4 system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;padding:5px 8px;border-radius:3px;white-space:pre;max-width:92vw;overflow:hidden;display:none;font-variant-numeric:tabular-nums}
        rect[data-t]:hover{stroke:var(--ink);stroke-width:.8}.hit[data-t]:hover{stroke:none;fill:var(--ink);fill-opacity:.06}
        @media(max-width:480px){body{font-size:16px}h1{font-size:1.5rem;padding-right:4.2em}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5em}}
        @media print{button,nav,.filter,.files{display:none}figure,article{break-inside:avoid}}

        """
}
