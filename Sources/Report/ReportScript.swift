/// The page's script: a button for the theme, tooltips in place of the browser's slow ones, tables that sort and
/// filter, and cells of heat maps that open the images behind them. The page works without it, and needs no network.
enum ReportScript {
    static let text =
        "(function(){'use strict';var d=document,r=d.documentElement;\n"
        + [theme, tooltips, cells, tables, folds].joined(separator: "\n") + "\n})();"

    private static let theme = """
        function make(tag,parent,text){var e=d.createElement(tag);if(text)e.textContent=text;if(parent)parent.appendChild(e);return e}
        var b=make('button',d.body);b.type='button';b.className='theme';
        function dark(){return r.dataset.theme?r.dataset.theme==='dark':matchMedia('(prefers-color-scheme: dark)').matches}
        function name(){b.textContent=dark()?'Light':'Dark'}
        b.onclick=function(){r.dataset.theme=dark()?'light':'dark';name()};name();
        """

    private static let tooltips = """
        d.querySelectorAll('svg title').forEach(function(t){var p=t.parentNode;p.dataset.t=t.textContent;p.removeChild(t)});
        var tip=make('div',d.body);tip.id='tip';tip.setAttribute('role','status');
        function show(text,cx,cy){tip.textContent=text;tip.style.display='block';
        var w=tip.offsetWidth,h=tip.offsetHeight,x=cx+14,y=cy+14;
        if(x+w>innerWidth-6)x=Math.max(6,cx-w-14);if(y+h>innerHeight-6)y=Math.max(6,cy-h-14);
        tip.style.left=x+'px';tip.style.top=y+'px'}
        function hide(){tip.style.display='none'}
        function move(e){var t=e.target.closest&&e.target.closest('[data-t]');if(t)show(t.dataset.t,e.clientX,e.clientY);else hide()}
        d.addEventListener('pointermove',move);d.addEventListener('pointerdown',move);d.addEventListener('scroll',hide,true);
        """

    /// A map with cells that open is one stop of the Tab key; arrow keys move between its cells, Enter and Space open
    /// one.
    private static let cells = """
        var store=d.getElementById('cells'),behind=store?JSON.parse(store.textContent):{images:[],cells:{}},box;
        function opens(c){return behind.cells[c.dataset.c]}
        function open(c){var list=opens(c);if(!list)return;hide();
        if(!box){box=make('dialog',d.body)}
        box.textContent='';make('h4',box,c.dataset.t);
        var close=make('button',box,'Close');close.type='button';close.onclick=function(){box.close()};
        make('p',box,'Images with the largest and the smallest effects on p:').className='note';
        var all=make('div',box);all.className='behind';
        list.forEach(function(item){var image=behind.images[item.image],f=make('figure',all);
        if(image.picture){var i=make('img',f);i.src=image.picture;i.alt=image.id}
        var t=make('figcaption',f);make('b',t,item.effect);t.appendChild(d.createTextNode(' '+image.id))});
        box.showModal()}
        d.querySelectorAll('svg').forEach(function(svg){
        var list=[].filter.call(svg.querySelectorAll('[data-c]'),opens);if(!list.length)return;
        list.forEach(function(c){c.classList.add('opens');c.addEventListener('click',function(){at(c);open(c)})});
        svg.setAttribute('tabindex','0');svg.setAttribute('role','group');
        svg.setAttribute('aria-label',svg.getAttribute('aria-label')+'. Arrow keys walk over the cells, Enter opens the images behind one.');
        var here=null;
        function at(c){if(here)here.classList.remove('at');here=c;c.classList.add('at')}
        function middle(c){var k=c.getBoundingClientRect();return[k.left+k.width/2,k.top+k.height/2]}
        function tell(){var m=middle(here);show(here.dataset.t,m[0],m[1])}
        function step(dx,dy){var m=middle(here),best=null,least=1e9;
        list.forEach(function(c){var n=middle(c),along=(n[0]-m[0])*dx+(n[1]-m[1])*dy,off=Math.abs((n[0]-m[0])*dy)+Math.abs((n[1]-m[1])*dx);
        if(along>1&&along+4*off<least){least=along+4*off;best=c}});if(best)at(best)}
        svg.addEventListener('focus',function(){if(svg.matches(':focus-visible')){if(!here)at(list[0]);tell()}});
        svg.addEventListener('blur',hide);
        svg.addEventListener('keydown',function(e){if(!here)at(list[0]);
        var way={ArrowLeft:[-1,0],ArrowRight:[1,0],ArrowUp:[0,-1],ArrowDown:[0,1]}[e.key];
        if(way){step(way[0],way[1]);tell();e.preventDefault()}
        else if(e.key==='Enter'||e.key===' '){open(here);e.preventDefault()}})});
        """

    /// Headings sort, numbers by value. A field above tables of more than eight rows filters by all of its words;
    /// `layer:1` is matched with a column's value.
    private static let tables = """
        function value(cell){var t=cell.textContent.replace(/\\u2212/g,'-').trim(),m=/^[<\\u2264]?\\s*([+-]?[\\d.]+)/.exec(t);
        return m?{n:parseFloat(m[1])-(/^[<\\u2264]/.test(t)?1e-12:0),t:t}:{n:NaN,t:t}}
        d.querySelectorAll('.scroll table').forEach(function(table){
        var body=table.tBodies[0],rows=[].slice.call(body.rows);if(rows.length<2)return;
        [].forEach.call(table.tHead.rows[0].cells,function(th,column){
        th.tabIndex=0;th.setAttribute('role','button');
        function sort(){var up=th.getAttribute('aria-sort')==='descending';
        [].forEach.call(th.parentNode.cells,function(o){o.removeAttribute('aria-sort')});
        th.setAttribute('aria-sort',up?'ascending':'descending');
        var keys=rows.map(function(row){return value(row.cells[column])}),sign=up?1:-1;
        var numbers=keys.some(function(k){return!isNaN(k.n)});
        rows.map(function(row,i){return i}).sort(function(i,j){var a=keys[i],b=keys[j];
        if(numbers){if(isNaN(a.n)||isNaN(b.n))return(isNaN(a.n)?1:0)-(isNaN(b.n)?1:0)||i-j;return sign*(a.n-b.n)||i-j}
        return sign*a.t.localeCompare(b.t)||i-j}).forEach(function(i){body.appendChild(rows[i])})}
        th.addEventListener('click',sort);
        th.addEventListener('keydown',function(e){if(e.key==='Enter'||e.key===' '){e.preventDefault();sort()}})});
        if(rows.length<9)return;
        var bar=d.createElement('div'),field=make('input',bar),count=make('span',bar);bar.className='filter';count.className='note';
        count.setAttribute('role','status');var heads=[].map.call(table.tHead.rows[0].cells,function(c){return c.textContent.toLowerCase()});
        field.type='search';field.placeholder='Filter rows, e.g. '+heads[0]+':'+rows[0].cells[0].textContent;field.setAttribute('aria-label','Filter rows');
        field.addEventListener('input',function(){var words=field.value.toLowerCase().split(/\\s+/).filter(Boolean),shown=0;
        rows.forEach(function(row){var t=[].map.call(row.cells,function(c){return c.textContent.toLowerCase()});
        row.hidden=!words.every(function(w){var k=w.indexOf(':'),at=k>0?heads.indexOf(w.slice(0,k)):-1;
        return at>=0?t[at]===w.slice(k+1):t.some(function(c){return c.indexOf(w)>=0})});if(!row.hidden)shown++});
        count.textContent=words.length?shown+' of '+rows.length+' rows':''});
        table.parentNode.parentNode.insertBefore(bar,table.parentNode)});
        """

    /// A link into a folded part opens it.
    private static let folds = """
        function unfold(){var e=location.hash&&d.getElementById(decodeURIComponent(location.hash.slice(1)));if(e){e=e.closest('details');if(e)e.open=true}}
        addEventListener('hashchange',unfold);unfold();
        """
}
